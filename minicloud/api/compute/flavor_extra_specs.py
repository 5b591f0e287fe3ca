"""Extra specs of a flavor over HTTP: what it asks of hosts and guests beyond its sizes."""

import re
from typing import Any

import msgspec

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.base.errors import Invalid
from minicloud.core.compute import extra_spec_names, flavors
from minicloud.core.compute.flavors import Flavor
from minicloud.core.policy import ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Transaction

POLICY = "os_compute_api:os-flavor-extra-specs"
_KEY = re.compile(r"[a-zA-Z0-9\-_:. ]{1,255}")
Value = str | int | float


class ExtraSpecs(Body):
    """The body of POST."""

    extra_specs: dict[str, Any]


def _checked(call: Call, specs: dict[str, Any]) -> dict[str, str]:
    """Names and values as they are kept. Raises Invalid."""
    for key, value in specs.items():
        if not _KEY.fullmatch(key):
            raise Invalid(f"Invalid input for field/attribute extra_specs. {key[:255]!r} is no name of an extra spec.")
        if isinstance(value, bool) or not isinstance(value, str | int | float) or len(str(value)) > 255:
            raise Invalid(
                f"Invalid input for field/attribute {key}. Value: {str(value)[:300]}. "
                "It must be a text or a number of at most 255 characters."
            )
        if call.at_least("2.86"):
            extra_spec_names.check(key, str(value))
    return {key: str(value) for key, value in specs.items()}


async def index(call: Call, flavor_id: str) -> Any:
    """All extra specs."""
    queries.only(call, since="2.102")
    flavor = await call.read(lambda tx: flavors.get(tx, call.context, flavor_id))
    return {"extra_specs": flavor.extra_specs}


async def show(call: Call, flavor_id: str, key: str) -> Any:
    """One extra spec."""
    queries.only(call, since="2.102")
    flavor = await call.read(lambda tx: flavors.get(tx, call.context, flavor_id))
    return {key: flavors.extra_spec(flavor, key)}


async def create(call: Call, flavor_id: str, body: ExtraSpecs) -> Any:
    """Add some, or replace those of the same names."""
    specs = _checked(call, body.extra_specs)

    def work(tx: Transaction) -> Flavor:
        return flavors.set_extra_specs(tx, flavors.get(tx, call.context, flavor_id), specs)

    await call.write(work)
    return {"extra_specs": body.extra_specs}


async def update(call: Call, flavor_id: str, key: str, body: bytes) -> Any:
    """Another value for one."""
    try:
        given = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("Malformed request body", kind="json") from error
    if not isinstance(given, dict) or len(given) != 1:
        raise Invalid("Invalid input: the body must have exactly one extra spec.")
    specs = _checked(call, given)
    if key not in given:
        raise Invalid("Request body and URI mismatch")

    def work(tx: Transaction) -> Flavor:
        return flavors.set_extra_specs(tx, flavors.get(tx, call.context, flavor_id), specs)

    await call.write(work)
    return given


async def delete(call: Call, flavor_id: str, key: str) -> None:
    """One less."""
    await call.write(lambda tx: flavors.remove_extra_spec(tx, flavors.get(tx, call.context, flavor_id), key))


_ALL, _ONE = "/flavors/{flavor_id}/os-extra_specs", "/flavors/{flavor_id}/os-extra_specs/{key}"

routes = [
    Get(_ALL, index, policy=f"{POLICY}:index", allow=PROJECT_READER_OR_ADMIN),
    Post(_ALL, create, policy=f"{POLICY}:create", allow=ADMIN),
    Get(_ONE, show, policy=f"{POLICY}:show", allow=PROJECT_READER_OR_ADMIN),
    Put(_ONE, update, policy=f"{POLICY}:update", allow=ADMIN),
    Delete(_ONE, delete, policy=f"{POLICY}:delete", allow=ADMIN, status=200),
]
