"""Types of groups and their specs over HTTP."""

from typing import Any

from msgspec import UNSET, UnsetType

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.api.volume import lists, values
from minicloud.api.volume.lists import Resource
from minicloud.api.volume.type_values import changes, fit_name, fit_specs, one_spec, public_filter
from minicloud.api.volume.values import Flag
from minicloud.base.errors import NotFound
from minicloud.core.policy import ADMIN
from minicloud.core.records import Condition, Transaction
from minicloud.core.volume import group_types
from minicloud.core.volume.group_types import GroupType

SINCE = "3.11"
_SEEN = "group:access_group_types_specs"
GROUP_TYPES = Resource(
    name="group_type",
    collection="group_types",
    links="group_type_links",
    filters=("is_public",),
    columns={name: name for name in ("id", "name", "description", "is_public", "created_at", "updated_at")},
    flags=frozenset({"is_public"}),
    owned=False,
)


class GroupTypeCreate(Body, wrap="group_type"):
    """The body of POST /group_types."""

    name: str
    description: str | None = None
    group_specs: dict[str, str | None] | UnsetType | None = UNSET
    is_public: Flag | UnsetType = UNSET


class GroupTypeUpdate(Body, wrap="group_type"):
    """The body of PUT /group_types/{id}."""

    name: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    is_public: Flag | UnsetType | None = UNSET


class Specs(Body):
    """The body of POST /group_types/{id}/group_specs."""

    group_specs: dict[str, str | None]


def view(call: Call, found: GroupType) -> dict[str, Any]:
    """A type as whoever looks at it sees it."""
    shown: dict[str, Any] = {
        "id": found.id,
        "name": found.name,
        "description": found.description,
        "is_public": found.is_public,
    }
    return {**shown, "group_specs": found.group_specs} if call.allows(_SEEN) else shown


async def index(call: Call) -> Any:
    """Types that exist for whoever asks."""
    public = public_filter(call.parameter("is_public")) if call.context.is_admin else True
    wanted = lists.read(call, GROUP_TYPES, but=["is_public"])
    if public is not None:
        wanted.query.where.append(Condition("is_public", "=", public))
    found = await call.read(lambda tx: lists.page(tx, wanted, group_types.page, GroupType, group_types.find))
    return lists.document(
        call, GROUP_TYPES, wanted, [view(call, one) for one in found], [one.id for one in found], None
    )


async def create(call: Call, body: GroupTypeCreate) -> Any:
    """Make a type."""
    name = fit_name(body.name)
    description = values.text("description", body.description)
    public = values.truth("is_public", body.is_public, True)
    specs = fit_specs(body.group_specs or {})

    def work(tx: Transaction) -> GroupType:
        return group_types.create(tx, name=name, description=description, is_public=public, specs=specs)

    return {"group_type": view(call, await call.write(work))}


async def show(call: Call, type_id: str) -> Any:
    """One type. There is none that groups have without saying."""
    if type_id == "default":
        raise NotFound("Default group type can not be found.")
    return {"group_type": view(call, await call.read(lambda tx: group_types.by_id(tx, call.context, type_id)))}


async def update(call: Call, type_id: str, body: GroupTypeUpdate) -> Any:
    """Change a type's name, description, or whether it is public."""
    wanted = changes(
        body,
        nothing="Specify group type name, description or a combination thereof.",
        nameless="Group type name can not be empty.",
    )

    def work(tx: Transaction) -> GroupType:
        return group_types.change(tx, group_types.by_id(tx, call.context, type_id), **wanted)

    return {"group_type": view(call, await call.write(work))}


async def delete(call: Call, type_id: str) -> None:
    """Delete a type."""
    await call.write(lambda tx: group_types.delete(tx, group_types.by_id(tx, call.context, type_id)))


async def specs(call: Call, type_id: str) -> Any:
    """All specs of a type."""
    return {"group_specs": (await call.read(lambda tx: group_types.by_id(tx, call.context, type_id))).group_specs}


async def set_specs(call: Call, type_id: str, body: Specs) -> Any:
    """Set some, keeping the others."""
    fit = fit_specs(body.group_specs, blanks=False)
    await call.write(lambda tx: group_types.set_specs(tx, group_types.by_id(tx, call.context, type_id), fit))
    return {"group_specs": fit}


async def show_spec(call: Call, type_id: str, key: str) -> Any:
    """One."""
    found = await call.read(lambda tx: group_types.by_id(tx, call.context, type_id))
    return {key: _spec(found, key)}


async def set_spec(call: Call, type_id: str, key: str, body: bytes) -> Any:
    """Set one; the document is nothing but its key and value."""
    fit = one_spec(body, key)
    await call.write(lambda tx: group_types.set_specs(tx, group_types.by_id(tx, call.context, type_id), fit))
    return fit


async def drop_spec(call: Call, type_id: str, key: str) -> None:
    """Take one away."""

    def work(tx: Transaction) -> None:
        found = group_types.by_id(tx, call.context, type_id)
        _spec(found, key)
        group_types.set_specs(tx, found, {}, drop=[key])

    await call.write(work)


def _spec(found: GroupType, key: str) -> str:
    if key not in found.group_specs:
        raise NotFound(f"Group Type {found.id} has no specs with key {key}.")
    return found.group_specs[key]


_ONE, _SPECS, _SPEC = (
    f"/group_types{rest}" for rest in ("/{type_id}", "/{type_id}/group_specs", "/{type_id}/group_specs/{key}")
)
_EXTRA = ((_SEEN, ADMIN),)
_TYPE, _OF = "group:group_types", "group:group_types_specs"
routes = [
    Get("/group_types", index, policy=None, since=SINCE, extra=_EXTRA),
    Post("/group_types", create, since=SINCE, policy=f"{_TYPE}:create", allow=ADMIN, status=202, extra=_EXTRA),
    Get(_ONE, show, policy=None, since=SINCE, extra=_EXTRA),
    Put(_ONE, update, since=SINCE, policy=f"{_TYPE}:update", allow=ADMIN, extra=_EXTRA),
    Delete(_ONE, delete, since=SINCE, policy=f"{_TYPE}:delete", allow=ADMIN, status=202),
    Get(_SPECS, specs, since=SINCE, policy=f"{_OF}:get_all", allow=ADMIN),
    Post(_SPECS, set_specs, since=SINCE, policy=f"{_OF}:create", allow=ADMIN, status=202),
    Get(_SPEC, show_spec, since=SINCE, policy=f"{_OF}:get", allow=ADMIN),
    Put(_SPEC, set_spec, since=SINCE, policy=f"{_OF}:update", allow=ADMIN),
    Delete(_SPEC, drop_spec, since=SINCE, policy=f"{_OF}:delete", allow=ADMIN, status=202),
]
