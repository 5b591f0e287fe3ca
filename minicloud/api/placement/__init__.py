"""Placement's API: what there is, who has it, and where a request could go; microversions 1.0 to 1.39."""

from minicloud.api.placement import (
    aggregates,
    allocation_candidates,
    allocations,
    inventories,
    reshaper,
    resource_classes,
    resource_providers,
    traits,
    usages,
    versions,
)
from minicloud.api.service import Service
from minicloud.core.policy import OF_PROJECTS


def service() -> Service:
    """The service with its routes."""
    return Service(
        name="placement",
        dialect="placement",
        scopes=OF_PROJECTS,
        other_versions_method="before_version",
        mounts=("/placement",),
        prefix="",
        negotiation=versions.NEGOTIATION,
        routes=[
            *versions.routes,
            *resource_providers.routes,
            *inventories.routes,
            *aggregates.routes,
            *traits.routes,
            *resource_classes.routes,
            *allocations.routes,
            *usages.routes,
            *allocation_candidates.routes,
            *reshaper.routes,
        ],
    )
