"""Volume types over HTTP, with who may use a private one."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.routes import Action, Delete, Get, Post, Put
from minicloud.api.volume import lists, values
from minicloud.api.volume.lists import Resource
from minicloud.api.volume.type_values import changes, fit_name, fit_specs, public_filter
from minicloud.api.volume.values import Flag
from minicloud.base.errors import NotFound
from minicloud.core import records
from minicloud.core.policy import ADMIN, PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import AnyOf, Condition, Query, Transaction
from minicloud.core.volume import types
from minicloud.core.volume.types import VolumeType

POLICY = "volume_extension"
SENSITIVE = f"{POLICY}:types_extra_specs:read_sensitive"
USER_VISIBLE = ("RESKEY:availability_zones", "multiattach", "replication_enabled")
_ACCESS = f"{POLICY}:volume_type_access"
_SPECS = f"{POLICY}:access_types_extra_specs"
_QOS = f"{POLICY}:access_types_qos_specs_id"
_EXTRA = (
    (_ACCESS, PROJECT_MEMBER_OR_ADMIN),
    (_SPECS, PROJECT_READER_OR_ADMIN),
    (_QOS, ADMIN),
    (SENSITIVE, ADMIN),
)
TYPES = Resource(
    name="volume_type",
    collection="volume_types",
    filters=("is_public",),
    columns={
        name: name
        for name in (
            "id",
            "name",
            "description",
            "is_public",
            "extra_specs",
            "created_at",
            "updated_at",
            "qos_specs_id",
        )
    },
    flags=frozenset({"is_public"}),
    maps=frozenset({"extra_specs"}),
    owned=False,
)
Project = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class TypeCreate(Body, wrap="volume_type"):
    """The body of POST /types."""

    name: str
    description: str | None = None
    extra_specs: dict[str, str | None] | UnsetType | None = UNSET
    is_public: Flag | UnsetType = msgspec.field(name="os-volume-type-access:is_public", default=UNSET)


class TypeUpdate(Body, wrap="volume_type"):
    """The body of PUT /types/{id}."""

    name: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    is_public: Flag | UnsetType | None = UNSET


class Access(Body):
    """A project that is given a type, or loses it."""

    project: Project


def brief(call: Call, found: VolumeType) -> dict[str, Any]:
    """A type that was changed, as whoever changed it sees it."""
    shown: dict[str, Any] = {
        "id": found.id,
        "name": found.name,
        "is_public": found.is_public,
        "description": found.description,
    }
    return {**shown, "extra_specs": readable_specs(call, found)} if call.allows(_SPECS) else shown


def made(call: Call, found: VolumeType) -> dict[str, Any]:
    """A type that was made, as whoever made it sees it."""
    shown = brief(call, found)
    return {**shown, "os-volume-type-access:is_public": found.is_public} if call.allows(_ACCESS) else shown


def view(call: Call, found: VolumeType) -> dict[str, Any]:
    """A type as whoever looks at it sees it."""
    shown = made(call, found)
    return {**shown, "qos_specs_id": found.qos_specs_id} if call.allows(_QOS) else shown


def readable_specs(call: Call, found: VolumeType) -> dict[str, str]:
    """The extra specs that whoever asks may see."""
    if call.allows(SENSITIVE):
        return found.extra_specs
    return {key: found.extra_specs[key] for key in USER_VISIBLE if key in found.extra_specs}


async def index(call: Call) -> Any:
    """Types that exist for whoever asks."""
    given = dict(call.parameters)
    public = public_filter(given.get("is_public")) if call.context.is_admin else True
    wanted = lists.read(call, TYPES, but=["is_public"])
    where = list(wanted.query.where)

    def work(tx: Transaction) -> list[VolumeType]:
        if public is not None:
            ways: list[Any] = [Condition("is_public", "=", public)]
            if public and call.context.project_id is not None:
                ways.append(Condition("id", "in", types.given_to(tx, call.context.project_id)))
            where.append(AnyOf(ways))
        query = Query(where=where, sort=wanted.query.sort, limit=wanted.query.limit, marker=wanted.query.marker)
        return lists.page(
            tx,
            msgspec.structs.replace(wanted, query=query),
            lambda tx, query: records.page(tx, VolumeType, query),
            VolumeType,
            lambda tx, key: records.find(tx, VolumeType, key),
        )

    found = await call.read(work)
    answer = lists.document(call, TYPES, wanted, [view(call, one) for one in found], [one.id for one in found], None)
    if "volume_types_links" in answer:
        answer["volume_type_links"] = answer.pop("volume_types_links")
    return answer


async def create(call: Call, body: TypeCreate) -> Any:
    """Make a type."""
    name = fit_name(body.name)
    description = values.text("description", body.description)
    public = values.truth("is_public", body.is_public, True)
    specs = fit_specs(body.extra_specs or {})

    def work(tx: Transaction) -> VolumeType:
        return types.create(tx, call.context, name=name, description=description, is_public=public, specs=specs)

    return {"volume_type": made(call, await call.write(work))}


async def show(call: Call, type_id: str) -> Any:
    """One type; ``default`` is what whoever asks gets without saying."""

    def work(tx: Transaction) -> VolumeType:
        if type_id == "default":
            return types.default_of(tx, call.context.project_id)
        return types.by_id(tx, call.context, type_id)

    return {"volume_type": view(call, await call.read(work))}


async def update(call: Call, type_id: str, body: TypeUpdate) -> Any:
    """Change a type's name, description, or whether it is public."""
    wanted = changes(
        body,
        nothing="Specify volume type name, description, is_public or a combination thereof.",
        nameless="Volume type name can not be empty.",
    )

    def work(tx: Transaction) -> VolumeType:
        return types.change(tx, types.by_id(tx, call.context, type_id), **wanted)

    return {"volume_type": brief(call, await call.write(work))}


async def delete(call: Call, type_id: str) -> None:
    """Delete a type."""
    await call.write(lambda tx: types.delete(tx, types.by_id(tx, call.context, type_id)))


async def projects(call: Call, type_id: str) -> Any:
    """The projects that were given a private type."""

    def work(tx: Transaction) -> list[str]:
        found = types.by_id(tx, call.context, type_id)
        if found.is_public:
            raise NotFound("Access list not available for public volume types.")
        return types.projects_of(tx, type_id)

    found = await call.read(work)
    return {"volume_type_access": [{"volume_type_id": type_id, "project_id": project} for project in found]}


async def grant(call: Call, type_id: str, body: Access) -> None:
    """Give a private type to a project."""
    await call.write(lambda tx: types.grant(tx, types.by_id(tx, call.context, type_id), body.project))


async def withdraw(call: Call, type_id: str, body: Access) -> None:
    """Take a private type away from a project."""
    await call.write(lambda tx: types.withdraw(tx, types.by_id(tx, call.context, type_id), body.project))


_ACTION = "/types/{type_id}/action"
routes = [
    Get("/types", index, policy=f"{POLICY}:type_get_all", allow=PROJECT_READER_OR_ADMIN, extra=_EXTRA),
    Post("/types", create, policy=f"{POLICY}:type_create", allow=ADMIN, extra=_EXTRA),
    Get("/types/{type_id}", show, policy=f"{POLICY}:type_get", allow=PROJECT_READER_OR_ADMIN, extra=_EXTRA),
    Put("/types/{type_id}", update, policy=f"{POLICY}:type_update", allow=ADMIN, extra=_EXTRA),
    Delete("/types/{type_id}", delete, policy=f"{POLICY}:type_delete", allow=ADMIN, status=202),
    Get("/types/{type_id}/os-volume-type-access", projects, policy=f"{_ACCESS}:get_all_for_type", allow=ADMIN),
    Action("addProjectAccess", grant, path=_ACTION, policy=f"{_ACCESS}:addProjectAccess", allow=ADMIN),
    Action("removeProjectAccess", withdraw, path=_ACTION, policy=f"{_ACCESS}:removeProjectAccess", allow=ADMIN),
]
