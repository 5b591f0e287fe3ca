"""Extending volumes: what allows it, and taking a volume for it; what it gains counts against the quota at once."""

from minicloud.base.errors import Invalid
from minicloud.core import records
from minicloud.core.volume import quotas, types, volumes
from minicloud.core.volume.types import VolumeType
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction


def take(tx: Transaction, volume: Volume, new_size: int, *, attached: bool) -> Volume:
    """Take a volume for growing to ``new_size`` GiB.

    Args:
        attached: whether a volume in use may grow.

    Raises:
        Invalid: it is as large already, or its status or its type does not allow it.
        OverQuota: of gigabytes.
    """
    more = new_size - volume.size
    if more <= 0:
        raise Invalid(
            "Invalid input received: New size for extend must be greater than current size. "
            f"(current: {volume.size}, extended: {new_size})."
        )
    expected = volumes.IN_USE if attached else volumes.AVAILABLE
    if volume.status != expected:
        wanted = {"status": expected}
        raise volumes.refused(f"Volume {volume.id} status must be '{wanted}' to extend, currently {volume.status}.")
    kind = records.find(tx, VolumeType, volume.volume_type_id or "")
    if kind is not None:
        types.check_size(kind, new_size)
    quotas.check_size(tx, volume.project_id, new_size)
    quotas.check(tx, volume.project_id, type_id=volume.volume_type_id, gigabytes=more)
    return volumes.move(tx, volume, volumes.EXTENDING, [expected], "", growing_gb=more)
