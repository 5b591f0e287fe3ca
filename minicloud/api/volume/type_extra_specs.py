"""Extra specs of a volume type over HTTP: what its volumes ask of their backend."""

from typing import Any

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.api.volume.type_values import fit_specs, one_spec
from minicloud.api.volume.types import SENSITIVE, readable_specs
from minicloud.base.errors import NotFound
from minicloud.core.policy import ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Transaction
from minicloud.core.volume import types

POLICY = "volume_extension:types_extra_specs"


class SpecsCreate(Body):
    """The body of POST /types/{id}/extra_specs."""

    extra_specs: dict[str, str | None]


async def index(call: Call, type_id: str) -> Any:
    """All that whoever asks may see."""
    found = await call.read(lambda tx: types.by_id(tx, call.context, type_id))
    return {"extra_specs": readable_specs(call, found)}


async def create(call: Call, type_id: str, body: SpecsCreate) -> Any:
    """Set some, keeping the others."""
    specs = fit_specs(body.extra_specs, blanks=False)
    await call.write(lambda tx: types.set_specs(tx, types.by_id(tx, call.context, type_id), specs))
    return {"extra_specs": specs}


async def show(call: Call, type_id: str, key: str) -> Any:
    """One."""
    specs = readable_specs(call, await call.read(lambda tx: types.by_id(tx, call.context, type_id)))
    if key not in specs:
        raise _missing(type_id, key)
    return {key: specs[key]}


async def update(call: Call, type_id: str, key: str, body: bytes) -> Any:
    """Set one; the document is nothing but its key and value."""
    specs = one_spec(body, key)
    await call.write(lambda tx: types.set_specs(tx, types.by_id(tx, call.context, type_id), specs))
    return specs


async def delete(call: Call, type_id: str, key: str) -> None:
    """Take one away."""

    def work(tx: Transaction) -> None:
        found = types.by_id(tx, call.context, type_id)
        if key not in found.extra_specs:
            raise _missing(type_id, key)
        types.set_specs(tx, found, {}, drop=[key])

    await call.write(work)


def _missing(type_id: str, key: str) -> NotFound:
    return NotFound(f"Volume Type {type_id} has no extra specs with key {key}.")


_ALL, _ONE = "/types/{type_id}/extra_specs", "/types/{type_id}/extra_specs/{key}"
_EXTRA = ((SENSITIVE, ADMIN),)
routes = [
    Get(_ALL, index, policy=f"{POLICY}:index", allow=PROJECT_READER_OR_ADMIN, extra=_EXTRA),
    Post(_ALL, create, policy=f"{POLICY}:create", allow=ADMIN),
    Get(_ONE, show, policy=f"{POLICY}:show", allow=PROJECT_READER_OR_ADMIN, extra=_EXTRA),
    Put(_ONE, update, policy=f"{POLICY}:update", allow=ADMIN),
    Delete(_ONE, delete, policy=f"{POLICY}:delete", allow=ADMIN, status=202),
]
