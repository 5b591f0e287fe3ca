"""Compute (Nova v2.1 with microversions) over HTTP: a file per resource; this one puts their lines together."""

from minicloud.api.bodies import Reading
from minicloud.api.compute import (
    aggregates,
    availability_zones,
    extensions,
    flavor_access,
    flavor_extra_specs,
    flavors,
    hypervisors,
    instance_actions,
    keypairs,
    limits,
    locks,
    quota_class_sets,
    quota_sets,
    server_actions,
    server_addresses,
    server_creation,
    server_groups,
    server_listing,
    server_metadata,
    server_tags,
    servers,
    services,
    versions,
)
from minicloud.api.service import Service


def service() -> Service:
    """The compute service."""
    return Service(
        name="compute",
        dialect="compute",
        other_versions_method="not_found",
        mounts=("/compute",),
        prefix="/v2.1",
        negotiation=versions.NEGOTIATION,
        reading=Reading(forbid_unknown=True, lenient=True),
        project_in_path=True,
        request_id_headers=("X-Openstack-Request-Id", "X-Compute-Request-Id"),
        routes=[
            *versions.routes,
            *server_creation.routes,
            *server_listing.routes,
            *servers.routes,
            *server_actions.routes,
            *server_metadata.routes,
            *server_tags.routes,
            *server_addresses.routes,
            *locks.routes,
            *instance_actions.routes,
            *services.routes,
            *hypervisors.routes,
            *flavors.routes,
            *flavor_access.routes,
            *flavor_extra_specs.routes,
            *keypairs.routes,
            *limits.routes,
            *quota_sets.routes,
            *quota_class_sets.routes,
            *availability_zones.routes,
            *aggregates.routes,
            *server_groups.routes,
            *extensions.routes,
        ],
    )
