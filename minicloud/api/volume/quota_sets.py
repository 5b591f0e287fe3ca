"""Quotas of block storage over HTTP: of projects and of the class of defaults; and the limits that a project reads."""

from collections.abc import Iterable
from typing import Any

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.routes import Delete, Get, Put
from minicloud.api.volume import values
from minicloud.base.errors import Invalid
from minicloud.core import quota, records
from minicloud.core.policy import ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Transaction
from minicloud.core.volume import quotas
from minicloud.core.volume.types import VolumeType

POLICY = "volume_extension:quotas"
CLASS_POLICY = "volume_extension:quota_classes"
USED_POLICY = "limits_extension:used_limits"
LARGEST = (1 << 31) - 1
OF_TYPES = ("volumes", "snapshots", "gigabytes")
_UNUSED = frozenset({"per_volume_gigabytes"})


class Limits(Body):
    """The bodies of PUT, under either name."""

    quota_set: dict[str, int | str] | None = None
    quota_class_set: dict[str, int | str] | None = None


def _types(tx: Transaction) -> list[VolumeType]:
    return records.select(tx, VolumeType, "1 = 1 ORDER BY name")


def _shown(tx: Transaction, found: dict[str, int]) -> dict[str, int]:
    """All limits, those of each volume type included."""
    of_types = {f"{name}_{kind.name}": quota.UNLIMITED for kind in _types(tx) for name in OF_TYPES}
    known = {*quota.DEFAULTS[quotas.SERVICE], *of_types}
    return {**of_types, **{name: limit for name, limit in found.items() if name in known}}


def _used(tx: Transaction, project_id: str, names: Iterable[str]) -> dict[str, int]:
    used = dict(quotas.usage(tx, project_id))
    for kind in _types(tx):
        of_type = quotas.usage_of_type(tx, project_id, kind.id)
        used |= {f"{name}_{kind.name}": of_type[name] for name in OF_TYPES}
    return {name: used.get(name, 0) for name in names}


async def show(call: Call, project_id: str) -> Any:
    """A project's limits; with ``usage`` what it has."""
    call.judge({"project_id": project_id})
    with_usage = values.parameter("usage", call.parameter("usage"))

    def work(tx: Transaction) -> dict[str, Any]:
        found = _shown(tx, quota.limits(tx, quotas.SERVICE, project_id))
        if not with_usage:
            return dict(found)
        used = _used(tx, project_id, found)
        return {name: {"in_use": used[name], "limit": limit, "reserved": 0} for name, limit in found.items()}

    return {"quota_set": {**await call.read(work), "id": project_id}}


async def defaults(call: Call, project_id: str) -> Any:
    """What a project has for which nobody said otherwise."""
    call.judge({"project_id": project_id})
    found = await call.read(lambda tx: _shown(tx, quota.defaults(tx, quotas.SERVICE)))
    return {"quota_set": {**found, "id": project_id}}


async def update(call: Call, project_id: str, body: Limits) -> Any:
    """Other limits, not below what the project has."""
    call.judge({"project_id": project_id})
    wanted = _fit(body.quota_set, "quota_set", project_id)

    def work(tx: Transaction) -> dict[str, int]:
        _require_known(tx, wanted)
        used = _used(tx, project_id, wanted)
        for name, limit in wanted.items():
            if name not in _UNUSED and 0 <= limit < used[name]:
                raise Invalid(
                    f"Quota {name} limit must be equal or greater than existing resources. Current usage is "
                    f"{used[name]} and the requested limit is {limit}."
                )
        quota.set_limits(tx, quotas.SERVICE, project_id, wanted)
        return _shown(tx, quota.limits(tx, quotas.SERVICE, project_id))

    return {"quota_set": await call.write(work)}


def _fit(given: dict[str, int | str] | None, name: str, owner: str) -> dict[str, int]:
    if not given:
        raise Invalid(f"Invalid input for field/attribute {name}. It has to have at least one property", field=name)
    if len(owner) > 255:
        raise Invalid("quota_set_name has more than 255 characters.")
    found = {}
    for key, value in given.items():
        if key == "tenant_id":
            continue
        try:
            limit = int(value)
        except ValueError as error:
            raise Invalid(f"Quota '{value}' limit must be an integer value", field=key) from error
        if isinstance(value, bool) or not -1 <= limit <= LARGEST:
            raise Invalid(
                f"Invalid input for field/attribute {key}. Value: {value}. It must be between -1 and {LARGEST}"
            )
        found[key] = limit
    return found


def _require_known(tx: Transaction, wanted: dict[str, int]) -> None:
    known = _shown(tx, dict(quota.DEFAULTS[quotas.SERVICE]))
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        raise Invalid(f"Bad key(s) in quota set: {', '.join(unknown)}")


async def delete(call: Call, project_id: str) -> None:
    """The project has the defaults again."""
    call.judge({"project_id": project_id})
    await call.write(lambda tx: quota.reset(tx, quotas.SERVICE, project_id))


async def show_class(call: Call, name: str) -> Any:
    """The limits of a class."""
    found = await call.read(lambda tx: _shown(tx, quota.class_limits(tx, quotas.SERVICE, name)))
    return {"quota_class_set": {**found, "id": name}}


async def update_class(call: Call, name: str, body: Limits) -> Any:
    """Other limits of a class."""
    wanted = _fit(body.quota_class_set, "quota_class_set", name)

    def work(tx: Transaction) -> dict[str, int]:
        _require_known(tx, wanted)
        quota.set_class_limits(tx, quotas.SERVICE, name, wanted)
        return _shown(tx, quota.class_limits(tx, quotas.SERVICE, name))

    return {"quota_class_set": await call.write(work)}


_MOST = {
    "maxTotalVolumeGigabytes": "gigabytes",
    "maxTotalBackupGigabytes": "backup_gigabytes",
    "maxTotalVolumes": "volumes",
    "maxTotalSnapshots": "snapshots",
    "maxTotalBackups": "backups",
}
_USED = {
    "totalVolumesUsed": "volumes",
    "totalGigabytesUsed": "gigabytes",
    "totalSnapshotsUsed": "snapshots",
    "totalBackupsUsed": "backups",
    "totalBackupGigabytesUsed": "backup_gigabytes",
}


async def limits(call: Call) -> Any:
    """The limits of the project, or of the one that an administrator names, and what of them is used."""
    project_id = call.context.project_id or ""
    if call.context.is_admin and call.at_least("3.39"):
        project_id = call.parameter("project_id") or call.parameter("tenant_id") or project_id

    def work(tx: Transaction) -> dict[str, int]:
        found = quota.limits(tx, quotas.SERVICE, project_id)
        shown = {name: found[resource] for name, resource in _MOST.items()}
        if call.allows(USED_POLICY):
            used = quotas.usage(tx, project_id)
            shown |= {name: used.get(resource, 0) for name, resource in _USED.items()}
        return shown

    return {"limits": {"rate": [], "absolute": await call.read(work)}}


_ONE = "/os-quota-sets/{project_id}"
routes = [
    Get(_ONE, show, policy=f"{POLICY}:show", allow=PROJECT_READER_OR_ADMIN, late=True),
    Get(f"{_ONE}/defaults", defaults, policy=f"{POLICY}:show", allow=PROJECT_READER_OR_ADMIN, late=True),
    Put(_ONE, update, policy=f"{POLICY}:update", allow=ADMIN, late=True),
    Delete(_ONE, delete, policy=f"{POLICY}:delete", allow=ADMIN, late=True, status=200),
    Get("/os-quota-class-sets/{name}", show_class, policy=f"{CLASS_POLICY}:get", allow=ADMIN),
    Put("/os-quota-class-sets/{name}", update_class, policy=f"{CLASS_POLICY}:update", allow=ADMIN),
    Get("/limits", limits, policy=None, extra=((USED_POLICY, PROJECT_READER_OR_ADMIN),)),
]
