"""Compute (Nova v2.1 with microversions) over HTTP: a file per resource; this one puts their lines together."""

from minicloud.api.bodies import Reading
from minicloud.api.compute import (
    hypervisors,
    instance_actions,
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
        mounts=("/compute",),
        prefix="/v2.1",
        negotiation=versions.NEGOTIATION,
        reading=Reading(forbid_unknown=True, lenient=True),
        project_in_path=True,
        request_id_headers=("X-Openstack-Request-Id", "X-Compute-Request-Id"),
        routes=[
            *versions.routes,
            *servers.routes,
            *instance_actions.routes,
            *services.routes,
            *hypervisors.routes,
        ],
    )
