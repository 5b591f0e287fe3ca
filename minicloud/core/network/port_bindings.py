"""Bindings of a port: the active one, which says where its wires are laid, and others to hosts that it may move to."""

from typing import Any, ClassVar

import msgspec

from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.network import ports, standard
from minicloud.core.network.rows import Port
from minicloud.engines.database import Transaction

ACTIVE = "ACTIVE"
INACTIVE = "INACTIVE"


class InactiveBinding(records.Record, kw_only=True):
    """A host that a port might move to."""

    TABLE = "port_bindings"
    KEY: ClassVar[tuple[str, ...]] = ("port_id", "host")

    port_id: str
    host: str
    vnic_type: str = "normal"
    profile: dict[str, Any] = {}


class Binding(msgspec.Struct, frozen=True):
    """A port's binding to a host."""

    host: str
    vnic_type: str
    profile: dict[str, Any]
    status: str


def of(tx: Transaction, port: Port) -> list[Binding]:
    """All bindings of a port, the active one first. Raises Invalid for a port that no server can have."""
    if not port.device_owner.startswith(("compute:", "manila:")):
        raise Invalid(
            f"Bad port request: Invalid port {port.id}. Operation only valid on compute and shared filesystem ports.",
            kind="BadRequest",
        )
    found = [Binding(port.host, port.vnic_type, port.profile, ACTIVE)] if port.host else []
    others = records.select(tx, InactiveBinding, "port_id = ? ORDER BY host", [port.id])
    return [*found, *(Binding(one.host, one.vnic_type, one.profile, INACTIVE) for one in others)]


def get(tx: Transaction, port: Port, host: str) -> Binding:
    """A port's binding to a host. Raises NotFound."""
    for binding in of(tx, port):
        if binding.host == host:
            return binding
    raise NotFound(f"Binding for port {port.id} for host {host} could not be found.", kind="PortBindingNotFound")


def create(tx: Transaction, port: Port, host: str, vnic_type: str, profile: dict[str, Any]) -> Binding:
    """Bind a port to a further host: actively if it is bound to none. Raises Conflict (``PortBindingAlreadyExists``)."""
    there = of(tx, port)
    if any(binding.host == host for binding in there):
        raise Conflict(f"Binding for port {port.id} on host {host} already exists.", kind="PortBindingAlreadyExists")
    if not port.host:
        ports.change(tx, port, host=host, vnic_type=vnic_type, profile=profile)
        return Binding(host, vnic_type, profile, ACTIVE)
    records.insert(tx, InactiveBinding(port_id=port.id, host=host, vnic_type=vnic_type, profile=profile))
    return Binding(host, vnic_type, profile, INACTIVE)


def change(tx: Transaction, port: Port, host: str, **values: Any) -> Binding:
    """Change a binding's kind of card or profile. Raises NotFound."""
    binding = get(tx, port, host)
    if not values:
        return binding
    if binding.status == ACTIVE:
        ports.change(tx, port, **values)
    else:
        records.change(tx, records.get(tx, InactiveBinding, port.id, host), **values)
    return msgspec.structs.replace(binding, **values)


def activate(tx: Transaction, port: Port, host: str) -> Binding:
    """Let a port move to a host: its wires are laid there from now on. Raises NotFound, Conflict."""
    if port.host == host:
        raise Conflict(f"Binding for port {port.id} on host {host} is already active.", kind="PortBindingAlreadyActive")
    wanted = get(tx, port, host)
    records.remove(tx, records.get(tx, InactiveBinding, port.id, host))
    if port.host:
        records.insert(
            tx, InactiveBinding(port_id=port.id, host=port.host, vnic_type=port.vnic_type, profile=port.profile)
        )
    standard.touch(tx, port, host=host, vnic_type=wanted.vnic_type, profile=wanted.profile, status="DOWN")
    return msgspec.structs.replace(wanted, status=ACTIVE)


def delete(tx: Transaction, context: Context, port: Port, host: str) -> None:
    """Take a binding away; the port of the active one is bound nowhere then. Content when there is none."""
    if port.host == host:
        ports.unbind(tx, port.id)
    else:
        tx.execute("DELETE FROM port_bindings WHERE port_id = ? AND host = ?", [port.id, host])
