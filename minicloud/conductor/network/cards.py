"""Servers' ports as their hosts shall have them: as the network service wishes, and held to what the server's flavor lets through."""

from collections.abc import Iterable, Sequence

import msgspec

from minicloud.core.compute import card_limits
from minicloud.core.network import qualities, wishes
from minicloud.core.network.wished import PortWish
from minicloud.engines.database import Transaction


def wish(tx: Transaction, port_id: str) -> PortWish:
    """A port. Raises NotFound."""
    return _held(tx, [wishes.port_wish(tx, port_id)])[0]


def wishes_of(tx: Transaction, server_id: str) -> list[PortWish]:
    """A server's ports, in the order of its cards."""
    return _held(tx, wishes.port_wishes_of(tx, server_id))


def wishes_for(tx: Transaction, port_ids: Iterable[str]) -> list[PortWish]:
    """Ports; those that are no more are left out."""
    return _held(tx, wishes.port_wishes(tx, port_ids))


def _held(tx: Transaction, found: Sequence[PortWish]) -> list[PortWish]:
    limits = card_limits.of_servers(tx, {port.machine_id for port in found if port.machine_id})
    return [
        msgspec.structs.replace(port, quality=qualities.both(port.quality, limits[port.machine_id]))
        if port.machine_id in limits
        else port
        for port in found
    ]
