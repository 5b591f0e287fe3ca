"""Default volume types of projects over HTTP."""

from typing import Annotated, Any

import msgspec

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.routes import Delete, Get, Put
from minicloud.base.errors import Invalid, NotFound
from minicloud.core.identity import projects
from minicloud.core.policy import ADMIN
from minicloud.core.records import Transaction
from minicloud.core.volume import default_types, types
from minicloud.core.volume.default_types import DefaultType

POLICY = "volume_extension:default"


class DefaultTypeUpdate(Body, wrap="default_type"):
    """The body of PUT /default-types/{project}."""

    volume_type: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


def view(found: DefaultType) -> dict[str, str]:
    """A project's default as clients see it."""
    return {"project_id": found.project_id, "volume_type_id": found.volume_type_id}


def _require_project(tx: Transaction, project_id: str) -> None:
    try:
        projects.get(tx, project_id)
    except NotFound as error:
        raise NotFound(f"Project with id {project_id} not found.") from error


async def index(call: Call) -> Any:
    """The defaults of all projects that have their own."""
    return {"default_types": [view(found) for found in await call.read(default_types.every)]}


async def show(call: Call, project_id: str) -> Any:
    """A project's own default."""

    def work(tx: Transaction) -> DefaultType:
        _require_project(tx, project_id)
        return default_types.get(tx, project_id)

    return {"default_type": view(await call.read(work))}


async def update(call: Call, project_id: str, body: DefaultTypeUpdate) -> Any:
    """The project has this default from now on."""

    def work(tx: Transaction) -> DefaultType:
        _require_project(tx, project_id)
        try:
            found = types.named(tx, body.volume_type)
        except NotFound as error:
            raise Invalid(error.message) from error
        return default_types.set_(tx, project_id, found)

    return {"default_type": view(await call.write(work))}


async def delete(call: Call, project_id: str) -> None:
    """The project has the cloud's default again."""
    await call.write(lambda tx: default_types.unset(tx, project_id))


routes = [
    Get("/default-types", index, since="3.62", policy=f"{POLICY}_get_all", allow=ADMIN),
    Get("/default-types/{project_id}", show, since="3.62", policy=f"{POLICY}_get", allow=ADMIN),
    Put("/default-types/{project_id}", update, since="3.62", policy=f"{POLICY}_set_or_update", allow=ADMIN),
    Delete("/default-types/{project_id}", delete, since="3.62", policy=f"{POLICY}_unset", allow=ADMIN),
]
