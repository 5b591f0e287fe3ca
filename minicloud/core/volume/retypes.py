"""Retypes: a volume gets another type where it lies, or on the way to a backend that offers that type."""

from minicloud.base import trace
from minicloud.base.errors import Invalid
from minicloud.core.volume import backends, messages, migrations, quotas, snapshots, type_encryptions, types, volumes
from minicloud.core.volume.types import VolumeType
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction

_REFUSED = (
    "Retype needs volume to be in available or in-use state, not be part of an active migration or a consistency group, "
    "requested type has to be different that the one from the volume, and for in-use volumes front-end qos specs cannot "
    "change."
)


def retype(tx: Transaction, volume: Volume, kind: VolumeType, *, migrate: bool = False) -> Volume:
    """The volume has this type. One that its backend cannot offer leaves the volume as it was, and a message; unless it may
    ``migrate``: then it is only taken (``retyping``, its migration ``starting``), and a saga moves it.

    A volume that several servers may have from now on is only taken, too: a saga makes its file such a one.

    Raises:
        Invalid: the volume's size or status does not allow it, it has the type already, or the type is encrypted.
        OverQuota: of volumes of that type.
    """
    types.check_size(kind, volume.size)
    if volume.multiattach != kind.multiattach and volume.status != volumes.AVAILABLE:
        raise Invalid(
            "Invalid input received: Invalid volume_type passed, retypes affecting multiattach are only allowed on "
            f"available volumes, the specified volume however currently has a status of: {volume.status}."
        )
    encrypted = type_encryptions.of(tx, kind.id) is not None
    if encrypted and kind.multiattach:
        raise Invalid(
            "Invalid input received: Retype requested both encryption and multi-attach, which is not supported."
        )
    if (
        volume.status not in (volumes.AVAILABLE, volumes.IN_USE)
        or volume.migration_status not in volumes.NOT_MIGRATING
        or volume.group_id is not None
        or volume.volume_type_id == kind.id
    ):
        raise volumes.refused(_REFUSED)
    if encrypted:
        raise Invalid(f"Volume type {kind.name} is encrypted, which needs a key manager; this cloud has none.")
    quotas.check_type(tx, volume.project_id, kind.id, volumes=1, gigabytes=volume.size)
    backend = backends.of_host(tx, volume.host)
    if backend is not None and backends.lacks(backend, kind.extra_specs) is not None:
        if migrate and not snapshots.of_volume(tx, volume.id):
            migrations.check_one_user(tx, volume)
            known = (volumes.AVAILABLE, volumes.IN_USE)
            started = migrations.STARTING
            return volumes.move(tx, volume, volumes.RETYPING, known, _REFUSED, migration_status=started)
        messages.add(
            tx,
            project_id=volume.project_id,
            action="001",
            detail="003",
            resource_type=messages.VOLUME,
            resource_id=volume.id,
        )
        return volume
    if kind.multiattach and not volume.multiattach:
        return volumes.move(tx, volume, volumes.RETYPING, [volumes.AVAILABLE], _REFUSED)
    return set_type(tx, volume, kind)


def finish(tx: Transaction, volume_id: str, type_id: str) -> None:
    """The volume's file is as the type needs it. Content when the volume was taken for something else meanwhile."""
    volume = volumes.settle(tx, volume_id, [volumes.RETYPING], status=volumes.AVAILABLE, previous_status=None)
    if volume is not None and volume.status == volumes.AVAILABLE:
        set_type(tx, volume, types.named(tx, type_id))


def set_type(tx: Transaction, volume: Volume, kind: VolumeType) -> Volume:
    """The volume has this type."""
    trace.note("volume_retyped", volume=volume.id, type=kind.name)
    return volumes.change(tx, volume, volume_type_id=kind.id, multiattach=kind.multiattach)
