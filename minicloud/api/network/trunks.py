"""/trunks and the ports that they carry."""

from collections.abc import Sequence
from typing import Any

from minicloud.api.call import Call
from minicloud.api.network import guard, values
from minicloud.api.network.attributes import REQUIRED, Attribute, Resource, parse
from minicloud.api.network.kinds import Kind, common, five
from minicloud.api.routes import Get, Put
from minicloud.base.errors import Invalid
from minicloud.core.context import Context
from minicloud.core.network import trunks
from minicloud.core.network.trunks import Subport, SubportWish, Trunk
from minicloud.core.records import Transaction


def _subports(value: Any) -> list[SubportWish]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError(f"Invalid data format for subports: '{value}'")
    found: list[SubportWish] = []
    for item in value:
        if not isinstance(item, dict):
            raise ValueError(f"Invalid data format for subport: '{item}'")
        if "port_id" not in item:
            raise ValueError("A valid port UUID must be specified")
        number = item.get("segmentation_id")
        kind = item.get("segmentation_type")
        wish = SubportWish(
            values.uuid(item["port_id"]),
            None if kind is None else values.text(32)(kind),
            None if number is None else values.integer(number),
        )
        if any(other.port_id == wish.port_id for other in found):
            raise ValueError(f"Duplicate port ID '{wish.port_id}'")
        if number is not None and any(
            (other.segmentation_type, other.segmentation_id) == (kind, wish.segmentation_id) for other in found
        ):
            raise ValueError(f"Segmentation ID '{number}' for '{kind}' already specified in the list of subports")
        found.append(wish)
    return found


TRUNK = Resource(
    "trunk",
    "trunks",
    [
        Attribute("name", values.name, "", filter="text", sort=True),
        Attribute("admin_state_up", values.boolean, True, filter="flag", sort=True),
        Attribute("port_id", values.uuid, REQUIRED, change=False, filter="text", sort=True),
        Attribute("status", filter="text", sort=True),
        Attribute("sub_ports", _subports, [], change=False),
        Attribute("tags", values.tags, [], change=False, ruled=True),
    ],
)


def _view(tx: Transaction, context: Context, found: Sequence[Trunk]) -> list[dict[str, Any]]:
    carried = trunks.subports_of(tx, [trunk.id for trunk in found])
    return [
        common(trunk)
        | {
            "name": trunk.name,
            "port_id": trunk.port_id,
            "admin_state_up": trunk.admin_state_up,
            "status": trunk.status,
            "sub_ports": [subport_view(one) for one in carried[trunk.id]],
        }
        for trunk in found
    ]


def subport_view(one: Subport) -> dict[str, Any]:
    """A port that a trunk carries, as clients read it."""
    return {
        "port_id": one.port_id,
        "segmentation_type": one.segmentation_type,
        "segmentation_id": one.segmentation_id,
    }


async def subports(call: Call, trunk_id: str) -> Any:
    """The ports that a trunk carries."""

    def load(tx: Transaction) -> list[Subport]:
        trunk = trunks.get(tx, call.context, trunk_id)
        guard.permit_seeing(call, "get_subports", {"project_id": trunk.project_id})
        return trunks.subports_of(tx, [trunk.id])[trunk.id]

    return {"sub_ports": [subport_view(one) for one in await call.read(load)]}


async def add_subports(call: Call, trunk_id: str, body: bytes) -> Any:
    """Let a trunk carry further ports."""
    wanted = _wanted(body)

    def work(tx: Transaction) -> dict[str, Any]:
        trunk = _permitted(tx, call, "add_subports", trunk_id)
        return _view(tx, call.context, [trunks.add_subports(tx, call.context, trunk, wanted)])[0]

    return await call.write(work)


async def remove_subports(call: Call, trunk_id: str, body: bytes) -> Any:
    """Let a trunk carry ports no more."""
    wanted = [one.port_id for one in _wanted(body)]

    def work(tx: Transaction) -> dict[str, Any]:
        trunk = _permitted(tx, call, "remove_subports", trunk_id)
        return _view(tx, call.context, [trunks.remove_subports(tx, trunk, wanted)])[0]

    return await call.write(work)


def _permitted(tx: Transaction, call: Call, action: str, trunk_id: str) -> Trunk:
    trunk = trunks.get(tx, call.context, trunk_id)
    guard.permit(call, action, {"project_id": trunk.project_id, "tenant_id": trunk.project_id})
    return trunk


def _wanted(raw: bytes) -> list[SubportWish]:
    document = parse(raw)
    if "sub_ports" not in document:
        raise Invalid("Invalid input for operation: sub_ports must be specified.", kind="InvalidInput")
    try:
        return _subports(document["sub_ports"])
    except ValueError as error:
        raise Invalid(f"Invalid input for operation: {error}.", kind="InvalidInput") from None


_READ, _WRITE = guard.ADMIN_OR_READER, guard.ADMIN_OR_MEMBER

routes = [
    *five(Kind(resource=TRUNK, path="/trunks", core=trunks, view=_view, read=_READ, write=_WRITE)),
    Get("/trunks/{trunk_id}/get_subports", subports, policy="get_subports", allow=_READ, late=True),
    Put("/trunks/{trunk_id}/add_subports", add_subports, policy="add_subports", allow=_WRITE, late=True),
    Put("/trunks/{trunk_id}/remove_subports", remove_subports, policy="remove_subports", allow=_WRITE, late=True),
]
