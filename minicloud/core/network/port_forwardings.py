"""Ports of a floating address that lead to ports of fixed ones: a free floating address serves several servers that way."""

from typing import Any, ClassVar

import msgspec

from minicloud.base.errors import Conflict, Invalid
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.network import addressing, floatingips, ports, standard
from minicloud.core.network.rows import FloatingIp, Subnet
from minicloud.core.network.standard import Part
from minicloud.core.records import Condition
from minicloud.engines.database import Transaction

Span = tuple[int, int]
"""The first and the last port of a range."""


class PortForwarding(Part, kw_only=True):
    """Ports of a floating address and where they lead."""

    TABLE = "port_forwardings"
    MISSING: ClassVar[str] = "Port Forwarding {id} could not be found."
    MISSING_KIND: ClassVar[str | None] = "PortForwardingNotFound"

    floatingip_id: str
    internal_port_id: str
    internal_ip_address: str
    protocol: str
    external_first: int
    external_last: int
    internal_first: int
    internal_last: int
    description: str = ""


def get(tx: Transaction, context: Context, floating: FloatingIp, forwarding_id: str) -> PortForwarding:
    """One of a floating address. Raises NotFound."""
    found = records.find(tx, PortForwarding, forwarding_id)
    if found is None or found.floatingip_id != floating.id:
        raise PortForwarding.missing(forwarding_id)
    return found


def page(tx: Transaction, context: Context, floating: FloatingIp, query: records.Query) -> list[PortForwarding]:
    """Those of a floating address."""
    where = [*query.where, Condition("floatingip_id", "=", floating.id)]
    return records.page(tx, PortForwarding, msgspec.structs.replace(query, where=where))


def create(
    tx: Transaction,
    context: Context,
    floating: FloatingIp,
    *,
    internal_port_id: str,
    external: Span,
    internal: Span,
    internal_ip_address: str | None = None,
    **values: Any,
) -> PortForwarding:
    """Lead ports of a floating address inside.

    Raises NotFound, Invalid (no way there, taken, ranges that do not match), Conflict (the floating address, or the port's,
    is led elsewhere as a whole).
    """
    address, router_id = _way(tx, context, floating, internal_port_id, internal_ip_address)
    _refuse_bound(tx, internal_port_id, address)
    if floating.port_id is not None:
        raise Conflict(
            f"Cannot associate floating IP {floating.floating_ip_address} ({floating.id}) with port {internal_port_id} "
            f"using fixed IP {address}, as that fixed IP already has a floating IP on external network "
            f"{floating.floating_network_id}.",
            kind="FloatingIPPortAlreadyAssociated",
        )
    made = PortForwarding(
        id=tx.ids.uuid(),
        floatingip_id=floating.id,
        internal_port_id=internal_port_id,
        internal_ip_address=address,
        external_first=external[0],
        external_last=external[1],
        internal_first=internal[0],
        internal_last=internal[1],
        created_at=tx.now,
        updated_at=tx.now,
        **values,
    )
    _check(tx, made)
    records.insert(tx, made)
    standard.change(tx, floating, router_id=router_id, status="ACTIVE")
    return made


def change(
    tx: Transaction,
    context: Context,
    floating: FloatingIp,
    forwarding: PortForwarding,
    *,
    external: Span | None = None,
    internal: Span | None = None,
    **values: Any,
) -> PortForwarding:
    """Lead them elsewhere. Raises as ``create`` does."""
    port_id = values.get("internal_port_id", forwarding.internal_port_id)
    if "internal_port_id" in values or "internal_ip_address" in values:
        wanted = values.get("internal_ip_address")
        if wanted is None and port_id == forwarding.internal_port_id:
            wanted = forwarding.internal_ip_address
        values["internal_ip_address"], _ = _way(tx, context, floating, port_id, wanted)
        if port_id != forwarding.internal_port_id:
            _refuse_bound(tx, port_id, values["internal_ip_address"])
    if external is not None:
        values |= {"external_first": external[0], "external_last": external[1]}
    if internal is not None:
        values |= {"internal_first": internal[0], "internal_last": internal[1]}
    _check(tx, forwarding.with_(**values))
    return standard.change(tx, forwarding, **values)


def delete(tx: Transaction, context: Context, floating: FloatingIp, forwarding: PortForwarding) -> None:
    """Lead them nowhere."""
    records.remove(tx, forwarding)
    if not tx.one("SELECT 1 FROM port_forwardings WHERE floatingip_id = ? LIMIT 1", [floating.id]):
        standard.change(tx, floating, router_id=None, status="DOWN")


def of_floating(tx: Transaction, floating_ids: list[str]) -> dict[str, list[PortForwarding]]:
    """Those of floating addresses, oldest first, by floating address."""
    found: dict[str, list[PortForwarding]] = {}
    for one in records.select_in(tx, PortForwarding, "floatingip_id", floating_ids):
        found.setdefault(one.floatingip_id, []).append(one)
    for several in found.values():
        several.sort(key=lambda one: (one.created_at, one.id))
    return found


def of_router(tx: Transaction, router_id: str) -> list[tuple[str, PortForwarding]]:
    """What a router leads inside: floating addresses with their forwardings, in order."""
    rows = tx.all("SELECT id, floating_ip_address FROM floating_ips WHERE router_id = ? ORDER BY id", [router_id])
    addresses: dict[str, str] = dict(rows)
    if not addresses:
        return []
    found = of_floating(tx, list(addresses))
    return [(addresses[floating_id], one) for floating_id in addresses for one in found.get(floating_id, [])]


def _way(tx: Transaction, context: Context, floating: FloatingIp, port_id: str, wanted: str | None) -> tuple[str, str]:
    """The fixed address that is led to, and the router between. Raises NotFound, Invalid."""
    port = ports.get(tx, context, port_id)
    held = [fixed for fixed in addressing.held_by(tx, [port.id]).get(port.id, []) if ":" not in fixed.ip_address]
    if not held:
        raise _bad(f"Requested internal port {port_id} must allocate an IPv4 address at least.")
    fixed = next((one for one in held if wanted is None or one.ip_address == wanted), None)
    if fixed is None:
        shown = [{"subnet_id": one.subnet_id, "ip_address": one.ip_address} for one in held]
        raise _bad(
            f"Requested internal IP address {wanted} is not suitable for internal neutron port {port_id}, as its fixed_ips "
            f"are {shown}"
        )
    subnet = records.get(tx, Subnet, fixed.subnet_id)
    router_id = floatingips.router_between(tx, subnet, floating.floating_network_id)
    if router_id is None:
        raise _bad(
            f"External network {floating.floating_network_id} is not reachable from subnet {subnet.id}. Cannot set Port "
            f"forwarding for port {port_id} with Floating IP {floating.id}"
        )
    if floating.router_id is not None and floating.router_id != router_id:
        raise _bad(
            f"The Floating IP {floating.id} had been set on router {floating.router_id}, the internal Neutron port "
            f"{port_id} can not reach it"
        )
    return fixed.ip_address, router_id


def _refuse_bound(tx: Transaction, port_id: str, address: str) -> None:
    row = tx.one("SELECT id, floating_ip_address FROM floating_ips WHERE port_id = ?", [port_id])
    if row is not None:
        raise Conflict(
            f"Cannot create port forwarding to floating IP {row[1]} ({row[0]}) with port {port_id} using fixed IP {address}, "
            "as that port already has a binding floating IP.",
            kind="PortHasBindingFloatingIP",
        )


def _check(tx: Transaction, wanted: PortForwarding) -> None:
    outside: Span = (wanted.external_first, wanted.external_last)
    inside: Span = (wanted.internal_first, wanted.internal_last)
    if inside[1] > inside[0] and inside[1] - inside[0] != outside[1] - outside[0]:
        raise _bad(
            "Invalid ranges of internal and/or external ports. The relation between internal and external ports must be "
            "N-N or 1-N"
        )
    for other in records.select(
        tx,
        PortForwarding,
        "internal_port_id = ? AND internal_ip_address = ? AND protocol = ? AND id <> ?",
        [wanted.internal_port_id, wanted.internal_ip_address, wanted.protocol, wanted.id],
    ):
        _refuse_collision("internal_port_range", (other.internal_first, other.internal_last), inside)
    for other in records.select(
        tx,
        PortForwarding,
        "floatingip_id = ? AND protocol = ? AND id <> ?",
        [wanted.floatingip_id, wanted.protocol, wanted.id],
    ):
        _refuse_collision("external_port_range", (other.external_first, other.external_last), outside)


def _refuse_collision(name: str, there: Span, wanted: Span) -> None:
    if max(there[0], wanted[0]) <= min(there[1], wanted[1]):
        raise _bad(
            f"There is a port collision with the {name}. The following ranges collide: {there[0]}:{there[1]} and "
            f"{wanted[0]}:{wanted[1]}"
        )


def _bad(text: str) -> Invalid:
    return Invalid(f"Bad port_forwarding request: {text}.", kind="BadRequest")
