"""Flavors: the sizes that servers come in, what more they ask for, and the projects that may use those that are not public."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from minicloud.base import trace
from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.engines.database import Transaction

_QUANTIFIER = re.compile(r"[*+?]")


class Flavor(records.Record, kw_only=True):
    """A size of servers. Memory and swap in MiB, disks in GiB; ``flavorid`` is what clients call its id."""

    TABLE = "flavors"
    KEY: ClassVar[tuple[str, ...]] = ("flavorid",)
    MISSING: ClassVar[str] = "Flavor {id} could not be found."

    id: int
    flavorid: str
    name: str
    vcpus: int
    memory_mb: int
    disk: int
    ephemeral: int = 0
    swap: int = 0
    rxtx_factor: float = 1.0
    is_public: bool = True
    disabled: bool = False
    description: str | None = None
    extra_specs: dict[str, str] = {}
    created_at: str
    updated_at: str | None = None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which flavors a listing shows. ``is_public`` None shows all; True also private ones that the project may use."""

    is_public: bool | None = True
    min_ram: int | None = None
    min_disk: int | None = None
    name: str | None = None
    disabled: bool | None = None


def get(tx: Transaction, context: Context, flavor_id: str) -> Flavor:
    """A flavor that exists for whoever asks. Raises NotFound."""
    flavor = records.find(tx, Flavor, flavor_id)
    if flavor is None or not _sees(tx, context, flavor):
        raise Flavor.missing(flavor_id)
    return flavor


def get_usable(tx: Transaction, context: Context, flavor_ref: str) -> Flavor:
    """The flavor for a server; a reference may also be its link. Raises Invalid, as a request for a server is answered."""
    flavor_id = flavor_ref.split("?")[0].rstrip("/").rpartition("/")[2]
    try:
        return get(tx, context, flavor_id)
    except NotFound as error:
        raise Invalid(error.message, kind="flavor") from error


def _sees(tx: Transaction, context: Context, flavor: Flavor) -> bool:
    return flavor.is_public or context.is_admin or _has_access(tx, flavor, context.project_id)


def _has_access(tx: Transaction, flavor: Flavor, project_id: str | None) -> bool:
    row = tx.one("SELECT 1 FROM flavor_projects WHERE flavorid = ? AND project_id = ?", [flavor.flavorid, project_id])
    return row is not None


def page(tx: Transaction, context: Context, query: records.Query, wanted: Wanted) -> list[Flavor]:
    """Flavors in the order and from the marker on that the query asks for.

    Raises Invalid for a bad pattern, or (kind ``marker``) when the marker names no flavor that whoever asks can see.
    """
    if query.marker is not None:
        marker = records.find(tx, Flavor, query.marker)
        if marker is None or not _sees(tx, context, marker):
            raise Invalid(f"marker [{query.marker}] not found", kind="marker")
    limit, query = query.limit, msgspec.structs.replace(query, limit=None, where=[*query.where, *_conditions(wanted)])
    granted = _granted(tx, context.project_id)
    matches = _pattern(wanted.name)
    found = []
    for flavor in records.page(tx, Flavor, query):
        usable = flavor.is_public or flavor.flavorid in granted
        if wanted.is_public is True and not usable:
            continue
        if wanted.is_public is False and flavor.is_public:
            continue
        if not (usable or context.is_admin) or not matches.search(flavor.name):
            continue
        found.append(flavor)
        if len(found) == limit:
            break
    return found


def _conditions(wanted: Wanted) -> list[records.Condition]:
    found = []
    if wanted.min_ram is not None:
        found.append(records.Condition("memory_mb", ">=", wanted.min_ram))
    if wanted.min_disk is not None:
        found.append(records.Condition("disk", ">=", wanted.min_disk))
    if wanted.disabled is not None:
        found.append(records.Condition("disabled", "=", wanted.disabled))
    return found


def _pattern(text: str | None) -> re.Pattern[str]:
    """A filter by name may be a regular expression; one that could take for ever is refused."""
    if text is None:
        return re.compile("")
    if "(" in text or "{" in text or len(_QUANTIFIER.findall(text)) > 3 or len(text) > 255:
        raise Invalid(f"Invalid name filter [{text[:255]}]: groups, braces and more than three quantifiers are refused")
    try:
        return re.compile(text)
    except re.error as error:
        raise Invalid(f"Invalid name filter [{text}]: {error}") from error


def _granted(tx: Transaction, project_id: str | None) -> set[str]:
    rows = tx.all("SELECT flavorid FROM flavor_projects WHERE project_id = ?", [project_id])
    return {row[0] for row in rows}


def create(
    tx: Transaction, *, name: str, vcpus: int, memory_mb: int, disk: int, flavorid: str | None = None, **values: Any
) -> Flavor:
    """A new flavor. Raises Conflict when its name or id is taken."""
    if records.select(tx, Flavor, "name = ?", [name]):
        raise Conflict(f"Flavor with name {name} already exists.")
    if flavorid is not None and records.find(tx, Flavor, flavorid) is not None:
        raise Conflict(f"Flavor with ID {flavorid} already exists.")
    row = tx.one("SELECT COALESCE(max(id), 0) + 1 FROM flavors")
    assert row is not None
    flavor = Flavor(
        id=int(row[0]),
        flavorid=flavorid or tx.ids.uuid(),
        name=name,
        vcpus=vcpus,
        memory_mb=memory_mb,
        disk=disk,
        created_at=tx.now,
        **values,
    )
    trace.note("flavor_created", flavor=flavor.flavorid, name=name)
    return records.insert(tx, flavor)


def describe(tx: Transaction, flavor: Flavor, description: str | None) -> Flavor:
    """Another description: the only thing of a flavor that can change."""
    return records.change(tx, flavor, description=description, updated_at=tx.now)


def delete(tx: Transaction, flavor: Flavor) -> None:
    """The flavor is gone; servers keep what they were made with."""
    trace.note("flavor_deleted", flavor=flavor.flavorid, name=flavor.name)
    tx.execute("DELETE FROM flavor_projects WHERE flavorid = ?", [flavor.flavorid])
    records.remove(tx, flavor)


def set_extra_specs(tx: Transaction, flavor: Flavor, specs: Mapping[str, str]) -> Flavor:
    """Add extra specs, or replace those of the same names."""
    return records.change(tx, flavor, extra_specs={**flavor.extra_specs, **specs}, updated_at=tx.now)


def extra_spec(flavor: Flavor, key: str) -> str:
    """One extra spec. Raises NotFound."""
    if key not in flavor.extra_specs:
        raise NotFound(f"Flavor {flavor.flavorid} has no extra specs with key {key}.")
    return flavor.extra_specs[key]


def remove_extra_spec(tx: Transaction, flavor: Flavor, key: str) -> Flavor:
    """One extra spec less. Raises NotFound when it has none of this name."""
    extra_spec(flavor, key)
    kept = {name: value for name, value in flavor.extra_specs.items() if name != key}
    return records.change(tx, flavor, extra_specs=kept, updated_at=tx.now)


def access(tx: Transaction, flavor: Flavor) -> list[str]:
    """The projects that may use a flavor that is not public."""
    rows = tx.all("SELECT project_id FROM flavor_projects WHERE flavorid = ? ORDER BY project_id", [flavor.flavorid])
    return [row[0] for row in rows]


def add_access(tx: Transaction, flavor: Flavor, project_id: str) -> None:
    """The project may use the flavor. Raises Conflict when it already may."""
    if _has_access(tx, flavor, project_id):
        raise Conflict(
            f"Flavor access already exists for flavor {flavor.flavorid} and project {project_id} combination."
        )
    tx.execute("INSERT INTO flavor_projects (flavorid, project_id) VALUES (?, ?)", [flavor.flavorid, project_id])


def remove_access(tx: Transaction, flavor: Flavor, project_id: str) -> None:
    """The project may use the flavor no more. Raises NotFound when it could not."""
    changed = tx.execute(
        "DELETE FROM flavor_projects WHERE flavorid = ? AND project_id = ?", [flavor.flavorid, project_id]
    )
    if not changed:
        raise NotFound(f"Flavor access not found for {flavor.flavorid} / {project_id} combination.")


def bootstrap(tx: Transaction) -> None:
    """The flavors of a new cloud, by the names and ids that suites and tutorials expect; nothing if there are any."""
    if records.count(tx, Flavor):
        return
    for flavorid, name, memory_mb, disk, vcpus in (
        ("1", "m1.tiny", 512, 1, 1),
        ("2", "m1.small", 2048, 20, 1),
        ("3", "m1.medium", 4096, 40, 2),
        ("4", "m1.large", 8192, 80, 4),
        ("5", "m1.xlarge", 16384, 160, 8),
        ("42", "m1.nano", 128, 1, 1),
    ):
        create(tx, name=name, flavorid=flavorid, memory_mb=memory_mb, disk=disk, vcpus=vcpus)
