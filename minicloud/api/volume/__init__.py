"""The Block Storage API (Cinder v3): a file per resource, listed here."""

from minicloud.api.bodies import Reading
from minicloud.api.service import Service
from minicloud.api.volume import (
    attachments,
    snapshot_actions,
    snapshot_metadata,
    snapshots,
    versions,
    volume_actions,
    volume_admin_actions,
    volume_attach_actions,
    volume_metadata,
    volumes,
)

MOUNT = "/volume"


def service() -> Service:
    """The service as the door mounts it."""
    return Service(
        name="volume",
        dialect="volume",
        other_versions_method="not_found",
        mounts=(MOUNT,),
        prefix="/v3",
        negotiation=versions.NEGOTIATION,
        reading=Reading(lenient=True),
        project_in_path=True,
        routes=[
            *versions.routes,
            *volumes.routes,
            *volume_actions.routes,
            *volume_admin_actions.routes,
            *volume_attach_actions.routes,
            *attachments.routes,
            *volume_metadata.routes,
            *snapshots.routes,
            *snapshot_actions.routes,
            *snapshot_metadata.routes,
        ],
    )
