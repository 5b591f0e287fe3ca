"""Migrations: a volume goes to another backend and keeps its id; whose it is, who has it and what it may be taken for meanwhile.

Cinder makes a second volume and lets both change their ids; here the file alone is another one, so that nothing of a migration can
be seen but its status.
"""

from collections.abc import Callable, Collection

from minicloud.base import trace
from minicloud.base.errors import Conflict, Invalid
from minicloud.core import records
from minicloud.core.volume import attachments, backends, snapshots, types, volumes
from minicloud.core.volume.attachments import Place, VolumeAttachment
from minicloud.core.volume.backends import Backend
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction

STARTING, MIGRATING, ERROR, SUCCESS = "starting", "migrating", "error", "success"
UNDER_WAY = (STARTING, MIGRATING)


def take(tx: Transaction, volume: Volume, host: str, *, is_up: bool, lock: bool) -> Volume:
    """The volume is taken for a migration to the backend ``machine@backend#pool``; a saga moves it.

    ``lock``: nothing else may be done to it meanwhile, where nobody has it; otherwise whatever takes it ends the migration.

    Raises Invalid in Cinder's words: no such backend, the volume is there already, or is not as it has to be.
    """
    backend = backends.of_host(tx, host)
    if backend is None or backend.disabled or not is_up:
        raise Invalid(f"Invalid host: No available service named '{host}'")
    if (
        volume.status not in (volumes.AVAILABLE, volumes.IN_USE)
        or volume.migration_status not in volumes.NOT_MIGRATING
        or volume.group_id is not None
        or volume.host in (None, host, backend.pool_host)
        or snapshots.of_volume(tx, volume.id)
    ):
        raise volumes.refused(
            f"Volume {volume.id} status must be available or in-use, must not be migrating, have snapshots, be replicated, be "
            "part of a group and destination host/cluster must be different than the current one"
        )
    check_one_user(tx, volume)
    locked = lock and volume.status == volumes.AVAILABLE
    trace.note("migration_asked", volume=volume.id, was=volume.host, host=host, locked=locked)
    return volumes.change(
        tx,
        volume,
        migration_status=STARTING,
        previous_status=volume.status,
        status=volumes.MAINTENANCE if locked else volume.status,
    )


def check_one_user(tx: Transaction, volume: Volume) -> None:
    """Raises Invalid where several servers have the volume: nobody could tell all of them at once to go on elsewhere."""
    if len(attachments.of_volume(tx, volume.id)) > 1:
        raise volumes.refused(
            f"Volume {volume.id} is attached to several servers; it can be migrated while one of them has it at most."
        )


def begin(
    tx: Transaction,
    volume_id: str,
    host: str | None,
    type_id: str | None,
    *,
    is_up: Callable[[str], bool],
    served: Collection[str],
) -> tuple[Volume, Backend]:
    """The migration begins, to a backend that passes the filters for the volume's type, or the one that it shall get.

    Args:
        host: where the volume was asked to be; None: anywhere else.
        served: the servers of this cloud that have the volume.

    Raises NoValidHost; Conflict when the volume was taken for something else, or somebody has it who cannot be told.
    """
    volume = volumes.existing(tx, volume_id)
    if volume.migration_status != STARTING:
        raise Conflict(f"Volume {volume_id} was taken for something else before its migration began", kind="taken")
    for attachment in attachments.of_volume(tx, volume_id):
        if attachment.server_id not in served:
            raise Conflict(f"Volume {volume_id} is attached to somebody who is no server of this cloud", kind="foreign")
    found = backends.choose(
        tx,
        size_gb=volume.size,
        zone=volume.zone,
        extra_specs=types.specs_of(tx, type_id or volume.volume_type_id),
        is_up=is_up,
        only=host,
        leaving=volume.host,
    )
    return volumes.change(tx, volume, migration_status=MIGRATING), found


def switch(tx: Transaction, volume_id: str, host: str, place: Place) -> Volume:
    """The volume lies there from now on, and whoever has it is told so. Raises Conflict: it was taken for something else."""
    volume = volumes.existing(tx, volume_id)
    if volume.migration_status != MIGRATING:
        raise Conflict(f"Volume {volume_id} was taken for something else while it was migrated", kind="taken")
    for attachment in attachments.of_volume(tx, volume_id):
        _relocate(tx, attachment, place)
    trace.note("volume_moved", volume=volume_id, was=volume.host, host=host)
    return volumes.change(tx, volume, host=host)


def _relocate(tx: Transaction, attachment: VolumeAttachment, place: Place) -> None:
    info = attachment.connection_info
    if info:
        data = {**info.get("data", {}), "device_path": place.path, "format": place.format}
        records.change(tx, attachment, connection_info={**info, "data": data}, updated_at=tx.now)


def end(tx: Transaction, volume_id: str, migration_status: str | None) -> Volume | None:
    """The volume is what its users make of it again, unless it was taken for something else."""
    volume = volumes.find(tx, volume_id)
    if volume is None:
        return None
    if volume.migration_status in UNDER_WAY:
        volume = volumes.change(tx, volume, migration_status=migration_status)
    if volume.status in (volumes.MAINTENANCE, volumes.RETYPING):
        volume = attachments.settle(tx, volumes.change(tx, volume, status=volumes.AVAILABLE))
    return volume


def clones_under_way(tx: Transaction, volume_id: str, host: str) -> list[str]:
    """The volumes that are being made of this one on the backend that it left."""
    wanted = "source_volid = ? AND host = ? AND status IN ('creating', 'downloading')"
    return [made.id for made in records.select(tx, Volume, wanted, [volume_id, host])]


def of_server(tx: Transaction, server_id: str) -> str | None:
    """A volume of the server that is being migrated; None when none is."""
    row = tx.one(
        "SELECT v.id FROM volume_attachments a JOIN volumes v ON v.id = a.volume_id "
        "WHERE a.server_id = ? AND v.migration_status IN ('starting', 'migrating') LIMIT 1",
        [server_id],
    )
    return None if row is None else str(row[0])
