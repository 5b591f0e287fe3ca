"""Volumes and snapshots that an administrator let go of: their bytes stay on the backend until somebody takes them up again.

A volume that is taken up becomes a new one, to which what it held is copied; a snapshot gets its old id back, as its volume's
backend knows it by that.
"""

from typing import ClassVar

from minicloud.base import trace
from minicloud.base.errors import Invalid, NotFound
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.volume import backends, quotas, snapshots, types, volumes
from minicloud.core.volume.snapshots import VolumeSnapshot
from minicloud.core.volume.types import VolumeType
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction

VOLUME, SNAPSHOT = "volume", "snapshot"
_PREFIXES = {VOLUME: "volume-", SNAPSHOT: "_snapshot-"}


class Unmanaged(records.Record, kw_only=True):
    """What was let go of. ``taken_by`` names the volume that is being made of it."""

    TABLE = "volume_unmanaged"
    MISSING: ClassVar[str] = "{id} could not be found on the backend."

    id: str
    kind: str
    host: str
    size: int
    bootable: bool = False
    volume_id: str | None = None
    taken_by: str | None = None
    created_at: str

    @property
    def name(self) -> str:
        """What it is called on its backend."""
        return name_of(self.kind, self.id)


def name_of(kind: str, resource_id: str) -> str:
    """What a volume or snapshot is called on its backend, as manageable lists and references have it."""
    return f"{_PREFIXES[kind]}{resource_id}"


def on_host(tx: Transaction, kind: str, host: str) -> list[Unmanaged]:
    """What was let go of on a backend."""
    return records.select(tx, Unmanaged, "host = ? AND kind = ? ORDER BY created_at, id", [host, kind])


def of(tx: Transaction, kind: str, reference: dict[str, str]) -> Unmanaged:
    """What a reference means. Raises Invalid in Cinder's words."""
    name = reference.get("source-name")
    if name is None:
        raise Invalid("Invalid existing reference: Reference must contain source-name element.")
    found = records.find(tx, Unmanaged, name.removeprefix(_PREFIXES[kind]))
    if found is None or found.kind != kind or found.taken_by is not None:
        raise Invalid(f"Manage existing {kind} failed due to invalid backend reference {reference}: it does not exist.")
    return found


def let_go_of_volume(tx: Transaction, volume: Volume) -> None:
    """The volume is no longer ours. Raises Invalid when its status, snapshots or group do not allow it."""
    refused = (
        volume.status not in ("available", "error", "error_restoring", "error_extending", "error_managing")
        or volume.attach_status == volumes.ATTACHED
        or volume.migration_status not in volumes.NOT_MIGRATING
        or volume.group_id is not None
        or bool(snapshots.of_volume(tx, volume.id))
    )
    if refused:
        raise volumes.refused(
            "Volume status must be available or error or error_restoring or error_extending or error_managing and must not "
            "be migrating, attached, belong to a group, have snapshots, awaiting a transfer, or be disassociated from "
            "snapshots after volume transfer."
        )
    if volume.host is not None:
        _note(
            tx,
            Unmanaged(
                id=volume.id,
                kind=VOLUME,
                host=volume.host,
                size=volume.size,
                bootable=volume.bootable,
                created_at=tx.now,
            ),
        )
    volumes.forget(tx, volume)


def let_go_of_snapshot(tx: Transaction, snapshot: VolumeSnapshot) -> None:
    """The snapshot is no longer ours. Raises Invalid when its status or group does not allow it."""
    if snapshot.status not in (snapshots.AVAILABLE, snapshots.ERROR) or snapshot.group_snapshot_id is not None:
        raise Invalid("Invalid snapshot: Snapshot status must be available or error and must not be part of a group.")
    volume = volumes.existing(tx, snapshot.volume_id)
    if volume.host is not None:
        _note(
            tx,
            Unmanaged(
                id=snapshot.id,
                kind=SNAPSHOT,
                host=volume.host,
                size=snapshot.volume_size,
                volume_id=volume.id,
                created_at=tx.now,
            ),
        )
    snapshots.forget(tx, snapshot.id)


def _note(tx: Transaction, thing: Unmanaged) -> None:
    records.insert(tx, thing)
    trace.note("unmanaged", kind=thing.kind, id=thing.id, host=thing.host)


def take_volume(
    tx: Transaction,
    context: Context,
    found: Unmanaged,
    kind: VolumeType | None,
    *,
    name: str | None,
    description: str | None,
    zone: str | None,
    metadata: dict[str, str],
    bootable: bool,
) -> Volume:
    """Promise a volume that holds what this one holds. Raises OverQuota, or NotFound for its backend."""
    project_id = context.require_project()
    backend = backends.of_host(tx, found.host)
    if backend is None:
        raise NotFound(f"Service {found.host} could not be found.")
    kind = kind or types.default_of(tx, project_id)
    quotas.check(tx, project_id, type_id=kind.id, volumes=1, gigabytes=found.size)
    volume = Volume(
        id=tx.ids.uuid(),
        project_id=project_id,
        user_id=context.user_id,
        name=name,
        description=description,
        size=found.size,
        zone=zone or backend.zone,
        volume_type_id=kind.id,
        bootable=bootable or found.bootable,
        multiattach=kind.multiattach,
        metadata=metadata,
        created_at=tx.now,
    )
    records.change(tx, found, taken_by=volume.id)
    return records.insert(tx, volume)


def taken(tx: Transaction, source_id: str, *, done: bool) -> None:
    """The volume that was to be made of it is there, or came to nothing."""
    found = records.find(tx, Unmanaged, source_id)
    if found is None:
        return
    if done:
        # Its old bytes are nobody's now; the reconciler of backends takes them away.
        records.remove(tx, found)
    else:
        records.change(tx, found, taken_by=None)


def take_snapshot(
    tx: Transaction,
    context: Context,
    found: Unmanaged,
    volume: Volume,
    *,
    name: str | None,
    description: str | None,
    metadata: dict[str, str],
) -> VolumeSnapshot:
    """The snapshot is ours again. Raises Invalid when it is none of this volume, OverQuota."""
    if found.volume_id != volume.id:
        raise Invalid(
            f"Manage existing snapshot failed due to invalid backend reference: snapshot {found.name} is none of volume "
            f"{volume.id}."
        )
    quotas.check(tx, volume.project_id, type_id=volume.volume_type_id, snapshots=1, gigabytes=found.size)
    records.remove(tx, found)
    return records.insert(
        tx,
        VolumeSnapshot(
            id=found.id,
            project_id=context.project_id or volume.project_id,
            user_id=context.user_id,
            volume_id=volume.id,
            name=name,
            description=description,
            volume_size=found.size,
            volume_type_id=volume.volume_type_id,
            status=snapshots.AVAILABLE,
            progress="100%",
            metadata=metadata,
            created_at=tx.now,
        ),
    )
