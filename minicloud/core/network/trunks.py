"""Trunks: a port that carries others, each told apart by a VLAN. They are recorded; hosts do not part the traffic yet.

That is why a port that is bound to a host can neither become a trunk's nor be given back by one, and why trunks stay DOWN:
as upstream has it where no driver of the data plane knows of trunks.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.network import ports, standard
from minicloud.core.network.rows import Network, Port
from minicloud.core.network.standard import Tagged
from minicloud.engines.database import Transaction

VLAN = "vlan"
INHERIT = "inherit"


class Trunk(Tagged, kw_only=True):
    """A trunk, by its parent port."""

    TABLE = "trunks"
    MISSING: ClassVar[str] = "Trunk {id} could not be found."
    MISSING_KIND: ClassVar[str | None] = "TrunkNotFound"

    name: str = ""
    description: str = ""
    port_id: str
    admin_state_up: bool = True
    status: str = "DOWN"


class Subport(records.Record, kw_only=True):
    """A port that a trunk carries."""

    TABLE = "trunk_subports"
    KEY: ClassVar[tuple[str, ...]] = ("port_id",)

    port_id: str
    trunk_id: str
    segmentation_type: str = VLAN
    segmentation_id: int
    position: int = 0


class SubportWish(msgspec.Struct, frozen=True):
    """A port that a trunk shall carry; without a type or number, as its network says."""

    port_id: str
    segmentation_type: str | None = None
    segmentation_id: int | None = None


def get(tx: Transaction, context: Context, trunk_id: str) -> Trunk:
    """A trunk that exists for whoever asks. Raises NotFound."""
    return standard.own(tx, context, Trunk, trunk_id)


def page(tx: Transaction, context: Context, query: records.Query) -> list[Trunk]:
    """A page of the trunks that exist for whoever asks."""
    return standard.own_page(tx, context, Trunk, query)


def create(
    tx: Transaction,
    context: Context,
    *,
    project_id: str,
    port_id: str,
    sub_ports: Sequence[SubportWish] = (),
    **values: Any,
) -> Trunk:
    """A new trunk. Raises NotFound, Conflict (``ParentPortInUse``, ``PortInUse``, ``DuplicateSubPort``), Invalid."""
    port = ports.get(tx, context, port_id)
    _refuse_used(tx, port_id)
    if port.host:
        raise _parent_in_use(port_id)
    trunk = records.insert(
        tx,
        Trunk(id=tx.ids.uuid(), project_id=project_id, port_id=port_id, created_at=tx.now, updated_at=tx.now, **values),
    )
    _carry(tx, context, trunk, sub_ports)
    return trunk


def change(tx: Transaction, context: Context, trunk: Trunk, **values: Any) -> Trunk:
    """Rename a trunk, or switch it on or off."""
    return standard.change(tx, trunk, **values)


def delete(tx: Transaction, context: Context, trunk: Trunk) -> None:
    """Delete a trunk; the ports are free again. Raises Conflict while it is off or its port is bound to a host."""
    _refuse_disabled(trunk)
    if records.get(tx, Port, trunk.port_id).host:
        raise Conflict(f"Trunk {trunk.id} is currently in use.", kind="TrunkInUse")
    records.remove(tx, trunk)


def add_subports(tx: Transaction, context: Context, trunk: Trunk, wishes: Sequence[SubportWish]) -> Trunk:
    """Let a trunk carry further ports. Raises as ``create`` does."""
    _refuse_disabled(trunk)
    _carry(tx, context, trunk, wishes)
    return standard.touch(tx, trunk, status="DOWN")


def remove_subports(tx: Transaction, trunk: Trunk, port_ids: Sequence[str]) -> Trunk:
    """Let a trunk carry ports no more. Raises NotFound (``SubPortNotFound``)."""
    _refuse_disabled(trunk)
    for port_id in port_ids:
        gone = tx.execute("DELETE FROM trunk_subports WHERE port_id = ? AND trunk_id = ?", [port_id, trunk.id])
        if not gone:
            raise NotFound(f"SubPort {port_id} on trunk {trunk.id} could not be found.", kind="SubPortNotFound")
    return standard.touch(tx, trunk, status="DOWN")


def subports_of(tx: Transaction, trunk_ids: Sequence[str]) -> dict[str, list[Subport]]:
    """The ports that trunks carry, in the order in which they came, by trunk."""
    found: dict[str, list[Subport]] = {trunk_id: [] for trunk_id in trunk_ids}
    for subport in records.select_in(tx, Subport, "trunk_id", list(trunk_ids)):
        found[subport.trunk_id].append(subport)
    for subports in found.values():
        subports.sort(key=lambda subport: subport.position)
    return found


def of_ports(tx: Transaction, port_ids: Sequence[str]) -> dict[str, Trunk]:
    """The trunks of parent ports, by port."""
    return {trunk.port_id: trunk for trunk in records.select_in(tx, Trunk, "port_id", list(port_ids))}


def macs_of(tx: Transaction, port_ids: Sequence[str]) -> dict[str, str]:
    """The MAC addresses of ports."""
    return {port.id: port.mac_address for port in records.select_in(tx, Port, "id", list(port_ids))}


def _carry(tx: Transaction, context: Context, trunk: Trunk, wishes: Sequence[SubportWish]) -> None:
    largest = _network_of(tx, trunk.port_id).mtu
    there = subports_of(tx, [trunk.id])[trunk.id]
    position = there[-1].position + 1 if there else 0
    for wish in wishes:
        if wish.port_id == trunk.port_id:
            raise _parent_in_use(wish.port_id)
        if wish.segmentation_type != INHERIT:
            _segmentation(wish)
        port = ports.get(tx, context, wish.port_id)
        network = records.get(tx, Network, port.network_id)
        if network.mtu > largest:
            raise Conflict(
                f"MTU {network.mtu} of subport {port.id} cannot be greater than MTU {largest} of trunk {trunk.port_id}.",
                kind="SubPortMtuGreaterThanTrunkPortMtu",
            )
        kind, number = _segmentation(wish, network)
        _refuse_used(tx, port.id, carried=True)
        if port.device_id:
            raise Conflict(
                f"Unable to complete operation on port {port.id} for network {port.network_id}. Port already has an "
                f"attached device {port.device_id}.",
                kind="PortInUse",
            )
        if tx.one(
            "SELECT 1 FROM trunk_subports WHERE trunk_id = ? AND segmentation_type = ? AND segmentation_id = ?",
            [trunk.id, kind, number],
        ):
            raise Conflict(
                f"segmentation_type {kind} and segmentation_id {number} already in use on trunk {trunk.id}.",
                kind="DuplicateSubPort",
            )
        records.insert(
            tx,
            Subport(
                port_id=port.id,
                trunk_id=trunk.id,
                segmentation_type=kind,
                segmentation_id=number,
                position=position,
            ),
        )
        position += 1


def _segmentation(wish: SubportWish, network: Network | None = None) -> tuple[str, int]:
    kind, number = wish.segmentation_type, wish.segmentation_id
    if kind == INHERIT and network is not None:
        kind, number = network.network_type, network.segmentation_id
    if kind is None or number is None:
        shown = msgspec.to_builtins(wish)
        raise _invalid(
            f"Invalid subport details '{ {key: value for key, value in shown.items() if value is not None} }': missing "
            "segmentation information. Must specify both segmentation_id and segmentation_type"
        )
    if kind != VLAN:
        raise _invalid(f"Unknown segmentation_type '{kind}'")
    if not 1 <= number <= 4094:
        raise _invalid(f"Segmentation ID '{number}' is not in range")
    return kind, number


def _refuse_used(tx: Transaction, port_id: str, *, carried: bool = False) -> None:
    if tx.one("SELECT 1 FROM trunk_subports WHERE port_id = ?", [port_id]):
        raise Conflict(f"Port {port_id} is in use by another trunk.", kind="TrunkPortInUse")
    if tx.one("SELECT 1 FROM trunks WHERE port_id = ?", [port_id]):
        raise _parent_in_use(port_id)


def _network_of(tx: Transaction, port_id: str) -> Network:
    return records.get(tx, Network, records.get(tx, Port, port_id).network_id)


def _refuse_disabled(trunk: Trunk) -> None:
    if not trunk.admin_state_up:
        raise Conflict(f"Trunk {trunk.id} is currently disabled.", kind="TrunkDisabled")


def _parent_in_use(port_id: str) -> Conflict:
    return Conflict(
        f"Port {port_id} is currently in use and is not eligible for use as a parent port.", kind="ParentPortInUse"
    )


def _invalid(text: str) -> Invalid:
    return Invalid(f"Invalid input for operation: {text}.", kind="InvalidInput")
