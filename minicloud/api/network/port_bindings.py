"""/ports/{id}/bindings: the hosts that a port is bound to or might move to, for services."""

from collections.abc import Callable
from typing import Any, TypeVar

from minicloud.api.call import Call, Reply
from minicloud.api.network import guard, lists, values
from minicloud.api.network.attributes import OMITTED, REQUIRED, Attribute, Resource
from minicloud.api.network.ports import VNIC_TYPES
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.base.errors import Invalid
from minicloud.core.network import port_bindings, ports
from minicloud.core.network.port_bindings import Binding
from minicloud.core.network.rows import Port
from minicloud.core.records import Transaction

T = TypeVar("T")

BINDING = Resource(
    "binding",
    "bindings",
    [
        Attribute("host", values.text(255), REQUIRED, filter="special"),
        Attribute("vnic_type", values.one_of(*VNIC_TYPES), "normal", filter="special"),
        Attribute("profile", values.dictionary, OMITTED),
        Attribute("vif_type", filter="special"),
        Attribute("vif_details"),
        Attribute("status", filter="special"),
        Attribute("project_id", values.project, OMITTED, change=False),
    ],
    has=[],
)


def _view(binding: Binding) -> dict[str, Any]:
    return {
        "host": binding.host,
        "vif_type": "bridge",
        "vif_details": {"connectivity": "l2", "port_filter": True},
        "vnic_type": binding.vnic_type,
        "profile": binding.profile,
        "status": binding.status,
    }


async def index(call: Call, port_id: str) -> Any:
    """A port's bindings, the active one first."""
    wanted = lists.read(call, BINDING)

    def load(tx: Transaction) -> list[Binding]:
        port = ports.get(tx, call.context, port_id)
        call.judged = True
        return port_bindings.of(tx, port) if call.allows("get_port_binding", _target(port)) else []

    found = [_view(binding) for binding in await call.read(load)]
    for name, texts in wanted.special.items():
        found = [one for one in found if one[name] in texts]
    return {"bindings": [lists.pick(call, one) for one in found]}


async def show(call: Call, port_id: str, host: str) -> Any:
    """A port's binding to a host."""

    def load(tx: Transaction) -> Binding:
        port = ports.get(tx, call.context, port_id)
        guard.permit_seeing(call, "get_port_binding", _target(port))
        return port_bindings.get(tx, port, host)

    return {"binding": lists.pick(call, _view(await call.read(load)))}


async def create(call: Call, port_id: str, body: bytes) -> Any:
    """Bind a port to a further host."""
    wanted, _ = BINDING.read_new(call, body)
    given = wanted[0].values
    if not given["host"]:
        raise Invalid("Invalid input for host. Reason: '' Blank strings are not permitted.", kind="HTTPBadRequest")

    def work(tx: Transaction) -> Binding:
        port = ports.get(tx, call.context, port_id)
        guard.permit(call, "create_port_binding", _target(port))
        return port_bindings.create(tx, port, given["host"], given["vnic_type"], given.get("profile", {}))

    return {"binding": _view(await guard.write(call, work))}


async def update(call: Call, port_id: str, host: str, body: bytes) -> Any:
    """Change a binding's kind of card, or its profile."""
    wanted = BINDING.read_change(body).values

    def work(tx: Transaction, port: Port) -> Binding:
        changes = {name: value for name, value in wanted.items() if name in ("vnic_type", "profile")}
        return port_bindings.change(tx, port, host, **changes)

    return {"binding": _view(await _change(call, port_id, "create_port_binding", work))}


async def activate(call: Call, port_id: str, host: str) -> Any:
    """Let a port move to a host that it is bound to."""

    def work(tx: Transaction, port: Port) -> Binding:
        port_bindings.of(tx, port)
        return port_bindings.activate(tx, port, host)

    return _view(await _change(call, port_id, "activate", work))


async def delete(call: Call, port_id: str, host: str) -> Any:
    """Take a binding away."""

    def work(tx: Transaction, port: Port) -> None:
        port_bindings.delete(tx, call.context, port, host)

    await _change(call, port_id, "delete_port_binding", work)
    return Reply()


async def _change(call: Call, port_id: str, action: str, change: Callable[[Transaction, Port], T]) -> T:
    def work(tx: Transaction) -> T:
        port = ports.get(tx, call.context, port_id)
        guard.permit(call, action, _target(port))
        return change(tx, port)

    return await guard.write(call, work)


def _target(port: Port) -> dict[str, Any]:
    return {"project_id": port.project_id, "tenant_id": port.project_id}


_ONE = "/ports/{port_id}/bindings/{host}"
_READ: dict[str, Any] = {"policy": "get_port_binding", "allow": guard.ADMIN_OR_SERVICE, "late": True}
_MAKE: dict[str, Any] = {"policy": "create_port_binding", "allow": guard.SERVICE, "late": True}

routes = [
    Get("/ports/{port_id}/bindings", index, **_READ),
    Post("/ports/{port_id}/bindings", create, **_MAKE, status=201),
    Get(_ONE, show, **_READ),
    # Upstream has no rule of its own for it.
    Put(_ONE, update, **_MAKE),
    Put(f"{_ONE}/activate", activate, policy="activate", allow=guard.SERVICE, late=True),
    Delete(_ONE, delete, policy="delete_port_binding", allow=guard.SERVICE, late=True),
]
