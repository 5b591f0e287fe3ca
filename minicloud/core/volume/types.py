"""Volume types: what a volume promises to be, by name; every cloud has ``__DEFAULT__``."""

from collections.abc import Iterable, Mapping
from typing import ClassVar

from minicloud.base import trace
from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.engines.database import Transaction

DEFAULT = "__DEFAULT__"
MULTIATTACH = "<is> True"


class VolumeType(records.Record, kw_only=True):
    """A volume type. ``extra_specs`` are what the backend is asked for."""

    TABLE = "volume_types"
    MISSING: ClassVar[str] = "Volume type {id} could not be found."

    id: str
    name: str
    description: str | None = None
    is_public: bool = True
    extra_specs: dict[str, str] = {}
    qos_specs_id: str | None = None
    created_at: str
    updated_at: str | None = None

    @property
    def multiattach(self) -> bool:
        """Whether several servers may have one volume of this type."""
        return self.extra_specs.get("multiattach") == MULTIATTACH


def check_size(kind: VolumeType, size: int) -> None:
    """A volume of this type may have so many GiB. Raises Invalid."""
    said = f"Invalid input received: Specified volume size of '{size}' is"
    least, most = (_gib(kind, f"provisioning:{word}_vol_size") for word in ("min", "max"))
    if least is not None and size < least:
        raise Invalid(f"{said} less than the minimum required size of '{least}' for volume type '{kind.name}'.")
    if most is not None and size > most:
        raise Invalid(f"{said} greater than the maximum allowable size of '{most}' for volume type '{kind.name}'.")


def _gib(kind: VolumeType, spec: str) -> int | None:
    found = kind.extra_specs.get(spec, "").strip()
    return int(found) if found.isascii() and found.isdigit() else None


def ensure_default(tx: Transaction) -> VolumeType:
    """The type that volumes have when nobody says otherwise is there."""
    found = find_by_name(tx, DEFAULT)
    if found is not None:
        return found
    made = VolumeType(id=tx.ids.uuid(), name=DEFAULT, description="Default Volume Type", created_at=tx.now)
    return records.insert(tx, made)


def find_by_name(tx: Transaction, name: str) -> VolumeType | None:
    """The type of this name, or None."""
    found = records.select(tx, VolumeType, "name = ?", [name])
    return found[0] if found else None


def named(tx: Transaction, text: str) -> VolumeType:
    """A type by id, or else by name. Raises NotFound."""
    found = records.find(tx, VolumeType, text) or find_by_name(tx, text)
    if found is None:
        raise NotFound(f"Volume type {text} could not be found.")
    return found


def default_of(tx: Transaction, project_id: str | None = None) -> VolumeType:
    """The type of a volume for which nobody said one: the project's own default, or the cloud's. Raises NotFound."""
    row = tx.one("SELECT volume_type_id FROM volume_default_types WHERE project_id = ?", [project_id])
    return named(tx, DEFAULT if row is None else row[0])


def visible(tx: Transaction, context: Context, found: VolumeType) -> bool:
    """Whether the type exists for whoever asks: a private one does for the projects that were given it."""
    return context.is_admin or found.is_public or context.project_id in projects_of(tx, found.id)


def get(tx: Transaction, context: Context, text: str) -> VolumeType:
    """A type that exists for whoever asks, by id or else by name. Raises NotFound."""
    found = named(tx, text)
    if not visible(tx, context, found):
        raise VolumeType.missing(text)
    return found


def by_id(tx: Transaction, context: Context, type_id: str) -> VolumeType:
    """A type that exists for whoever asks. Raises NotFound."""
    found = records.find(tx, VolumeType, type_id)
    if found is None or not visible(tx, context, found):
        raise VolumeType.missing(type_id)
    return found


def projects_of(tx: Transaction, type_id: str) -> list[str]:
    """The projects that were given a private type."""
    rows = tx.all("SELECT project_id FROM volume_type_access WHERE volume_type_id = ? ORDER BY project_id", [type_id])
    return [row[0] for row in rows]


def given_to(tx: Transaction, project_id: str) -> list[str]:
    """Ids of the private types that a project was given."""
    rows = tx.all("SELECT volume_type_id FROM volume_type_access WHERE project_id = ?", [project_id])
    return [row[0] for row in rows]


def create(
    tx: Transaction, context: Context, *, name: str, description: str | None, is_public: bool, specs: Mapping[str, str]
) -> VolumeType:
    """A new type; a private one is given to whoever makes it. Raises Conflict when the name is taken."""
    if find_by_name(tx, name) is not None:
        raise _taken(name)
    made = VolumeType(
        id=tx.ids.uuid(),
        name=name,
        description=description,
        is_public=is_public,
        extra_specs=dict(specs),
        created_at=tx.now,
    )
    trace.note("volume_type", id=made.id, name=name)
    return records.insert(tx, made)


def change(
    tx: Transaction, found: VolumeType, *, name: str | None, description: str | None, is_public: bool | None
) -> VolumeType:
    """Change what is given. Raises Conflict when the name is taken."""
    if name is not None and name != found.name and find_by_name(tx, name) is not None:
        raise _taken(name)
    wanted = {"name": name, "description": description, "is_public": is_public}
    changes = {field: value for field, value in wanted.items() if value is not None}
    changed = records.change(tx, found, **changes, updated_at=tx.now)
    if changed.name != found.name:
        for resource in ("volumes", "snapshots", "gigabytes"):
            names = [f"{resource}_{changed.name}", f"{resource}_{found.name}"]
            tx.execute("UPDATE quotas SET resource = ? WHERE service = 'volume' AND resource = ?", names)
            tx.execute("UPDATE quota_classes SET resource = ? WHERE service = 'volume' AND resource = ?", names)
    return changed


def delete(tx: Transaction, found: VolumeType) -> None:
    """The type is gone. Raises Invalid while a volume has it, or where it is somebody's default."""
    if found.name == DEFAULT or _is_default(tx, found):
        raise Invalid(f"The volume type {found.id} is the default volume type and cannot be deleted.")
    if in_use(tx, found.id) or _grouped(tx, found.id):
        raise Invalid("Target volume type is still in use.")
    tx.execute("DELETE FROM volume_type_access WHERE volume_type_id = ?", [found.id])
    tx.execute("DELETE FROM volume_type_encryptions WHERE volume_type_id = ?", [found.id])
    records.remove(tx, found)


def _is_default(tx: Transaction, found: VolumeType) -> bool:
    return tx.one("SELECT 1 FROM volume_default_types WHERE volume_type_id = ?", [found.id]) is not None


def _grouped(tx: Transaction, type_id: str) -> bool:
    row = tx.one("SELECT 1 FROM volume_groups, json_each(volume_type_ids) WHERE value = ? LIMIT 1", [type_id])
    return row is not None


def in_use(tx: Transaction, type_id: str) -> bool:
    """Whether a volume has this type."""
    return tx.one("SELECT 1 FROM volumes WHERE volume_type_id = ? LIMIT 1", [type_id]) is not None


def set_specs(tx: Transaction, found: VolumeType, specs: Mapping[str, str], *, drop: Iterable[str] = ()) -> VolumeType:
    """Other extra specs beside those that stay. Raises Invalid while a volume has the type."""
    if in_use(tx, found.id):
        raise Invalid("Volume Type is currently in use.")
    dropped = set(drop)
    kept = {key: value for key, value in {**found.extra_specs, **specs}.items() if key not in dropped}
    if kept.get("multiattach") == MULTIATTACH and kept.get("cacheable") == MULTIATTACH:
        raise Invalid("cacheable cannot be set with multiattach.")
    return records.change(tx, found, extra_specs=kept, updated_at=tx.now)


def grant(tx: Transaction, found: VolumeType, project_id: str) -> None:
    """Give a private type to a project. Raises Invalid for a public one, Conflict when the project has it."""
    if found.is_public:
        raise Invalid("Invalid volume type: Type access modification is not applicable to public volume type.")
    if project_id in projects_of(tx, found.id):
        raise Conflict(f"Volume type access for {found.id} / {project_id} combination already exists.")
    tx.execute("INSERT INTO volume_type_access (volume_type_id, project_id) VALUES (?, ?)", [found.id, project_id])


def withdraw(tx: Transaction, found: VolumeType, project_id: str) -> None:
    """Take a private type away from a project. Raises Invalid for a public one, NotFound where the project has it not."""
    if found.is_public:
        raise Invalid("Invalid volume type: Type access modification is not applicable to public volume type.")
    gone = tx.execute(
        "DELETE FROM volume_type_access WHERE volume_type_id = ? AND project_id = ?", [found.id, project_id]
    )
    if not gone:
        raise NotFound(f"Volume type access not found for {found.id} / {project_id} combination.")


def _taken(name: str) -> Conflict:
    return Conflict(f"Volume Type {name} already exists.")


def of(tx: Transaction, type_ids: Iterable[str | None]) -> dict[str, VolumeType]:
    """Types by id."""
    wanted = {type_id for type_id in type_ids if type_id is not None}
    return {found.id: found for found in records.select_in(tx, VolumeType, "id", wanted)} if wanted else {}


def specs_of(tx: Transaction, type_id: str | None) -> dict[str, str]:
    """What a type asks of the backend; nothing where there is no such type."""
    found = None if type_id is None else records.find(tx, VolumeType, type_id)
    return {} if found is None else found.extra_specs
