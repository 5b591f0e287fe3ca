"""The Block Storage API (Cinder v3): a file per resource, listed here."""

from minicloud.api.bodies import Reading
from minicloud.api.service import Service
from minicloud.api.volume import (
    attachments,
    backups,
    default_types,
    extensions,
    group_snapshots,
    group_types,
    groups,
    messages,
    qos_specs,
    quota_sets,
    scheduler_stats,
    services,
    snapshot_actions,
    snapshot_metadata,
    snapshots,
    transfers,
    type_encryption,
    type_extra_specs,
    types,
    versions,
    volume_actions,
    volume_admin_actions,
    volume_attach_actions,
    volume_changes,
    volume_image_actions,
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
        slash_at_end="not_found",
        routes=[
            *versions.routes,
            *volumes.routes,
            *volume_actions.routes,
            *volume_admin_actions.routes,
            *volume_attach_actions.routes,
            *volume_image_actions.routes,
            *attachments.routes,
            *volume_metadata.routes,
            *snapshots.routes,
            *snapshot_actions.routes,
            *snapshot_metadata.routes,
            *volume_changes.routes,
            *backups.routes,
            *transfers.routes,
            *types.routes,
            *type_extra_specs.routes,
            *type_encryption.routes,
            *default_types.routes,
            *qos_specs.routes,
            *quota_sets.routes,
            *services.routes,
            *scheduler_stats.routes,
            *group_types.routes,
            *groups.routes,
            *group_snapshots.routes,
            *messages.routes,
            *extensions.routes,
        ],
    )
