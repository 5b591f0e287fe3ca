"""Quotas of volumes and snapshots: what a project has, and Cinder's words when it would have too much."""

from minicloud.base.errors import OverQuota
from minicloud.core import quota
from minicloud.core.volume import types
from minicloud.engines.database import Transaction

SERVICE = "volume"


def usage(tx: Transaction, project_id: str) -> dict[str, int]:
    """What a project's volumes, snapshots, backups and groups use: their numbers, and their GiB."""
    volumes = tx.one(
        "SELECT count(*), COALESCE(sum(size + growing_gb), 0) FROM volumes WHERE project_id = ? AND use_quota = 1",
        [project_id],
    )
    snapshots = tx.one(
        "SELECT count(*), COALESCE(sum(volume_size), 0) FROM volume_snapshots WHERE project_id = ? AND use_quota = 1",
        [project_id],
    )
    assert volumes is not None
    backups = tx.one("SELECT count(*), COALESCE(sum(size), 0) FROM volume_backups WHERE project_id = ?", [project_id])
    assert snapshots is not None
    groups = tx.one("SELECT count(*) FROM volume_groups WHERE project_id = ?", [project_id])
    assert backups is not None
    assert groups is not None
    return {
        "volumes": volumes[0],
        "snapshots": snapshots[0],
        "gigabytes": volumes[1] + snapshots[1],
        "backups": backups[0],
        "backup_gigabytes": backups[1],
        "groups": groups[0],
    }


def usage_of_type(tx: Transaction, project_id: str, type_id: str) -> dict[str, int]:
    """As ``usage``, of one volume type."""
    volumes = tx.one(
        "SELECT count(*), COALESCE(sum(size + growing_gb), 0) FROM volumes "
        "WHERE project_id = ? AND use_quota = 1 AND volume_type_id = ?",
        [project_id, type_id],
    )
    snapshots = tx.one(
        "SELECT count(*), COALESCE(sum(volume_size), 0) FROM volume_snapshots "
        "WHERE project_id = ? AND use_quota = 1 AND volume_type_id = ?",
        [project_id, type_id],
    )
    assert volumes is not None
    assert snapshots is not None
    return {"volumes": volumes[0], "snapshots": snapshots[0], "gigabytes": volumes[1] + snapshots[1]}


def check(
    tx: Transaction, project_id: str, *, type_id: str | None, volumes: int = 0, snapshots: int = 0, gigabytes: int = 0
) -> None:
    """Whether the project may have so much more. Raises OverQuota in Cinder's words."""
    wanted = {"volumes": volumes, "snapshots": snapshots, "gigabytes": gigabytes}
    deltas = {name: more for name, more in wanted.items() if more > 0}
    try:
        quota.check(tx, SERVICE, project_id, deltas, lambda: usage(tx, project_id))
    except OverQuota as error:
        raise _in_words(error, "") from error
    if type_id is not None:
        _check_type(tx, project_id, type_id, deltas)


def check_type(
    tx: Transaction, project_id: str, type_id: str, *, volumes: int = 0, snapshots: int = 0, gigabytes: int = 0
) -> None:
    """Whether the project may have so much more of one type, what it has in all being as before. Raises OverQuota."""
    wanted = {"volumes": volumes, "snapshots": snapshots, "gigabytes": gigabytes}
    _check_type(tx, project_id, type_id, {name: more for name, more in wanted.items() if more > 0})


def _check_type(tx: Transaction, project_id: str, type_id: str, deltas: dict[str, int]) -> None:
    """The limits that somebody set for volumes of one type, such as ``volumes_gold``."""
    own = quota.own_limits(tx, SERVICE, project_id)
    own = {**quota.defaults(tx, SERVICE), **own}
    if len(own) == len(quota.DEFAULTS[SERVICE]):
        return
    found = types.of(tx, [type_id]).get(type_id)
    if found is None:
        return
    used: dict[str, int] | None = None
    overs = []
    for name, more in deltas.items():
        limit = own.get(f"{name}_{found.name}", quota.UNLIMITED)
        if limit == quota.UNLIMITED:
            continue
        used = used or usage_of_type(tx, project_id, type_id)
        if used[name] + more > limit:
            overs.append((name, more, used[name], limit))
    if overs:
        detail = {
            "requested": {name: more for name, more, _, _ in overs},
            "used": {name: have for name, _, have, _ in overs},
            "allowed": {name: limit for name, _, _, limit in overs},
        }
        error = OverQuota("", kind="OverQuota", overs=[name for name, *_ in overs], **detail)
        raise _in_words(error, f"_{found.name}")


def check_size(tx: Transaction, project_id: str, size: int) -> None:
    """Whether one volume may be so large. Raises OverQuota."""
    limit = quota.limits(tx, SERVICE, project_id)["per_volume_gigabytes"]
    if limit != quota.UNLIMITED and size > limit:
        raise OverQuota(
            f"VolumeSizeExceedsLimit: Requested volume size {size}G is larger than maximum allowed limit {limit}G."
        )


def _in_words(error: OverQuota, suffix: str) -> OverQuota:
    """Cinder names the kind of what nobody expected, quotas among it, before its words (cinder 29: api/middleware/fault.py)."""
    overs, detail = error.detail["overs"], error.detail
    if "gigabytes" in overs:
        asked, used, allowed = (detail[name]["gigabytes"] for name in ("requested", "used", "allowed"))
        message = (
            f"VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes{suffix} quota. "
            f"Requested {asked}G, quota is {allowed}G and {used}G has been consumed."
        )
    elif "snapshots" in overs:
        message = (
            f"SnapshotLimitExceeded: Maximum number of snapshots allowed ({detail['allowed']['snapshots']}) exceeded"
        )
    else:
        allowed = detail["allowed"]["volumes"]
        message = (
            f"VolumeLimitExceeded: Maximum number of volumes allowed ({allowed}) exceeded for quota 'volumes{suffix}'."
        )
    return OverQuota(message, kind="OverQuota", **detail)
