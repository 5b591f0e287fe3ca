"""Servers' ports as their hosts shall have them: as the network service wishes, held to what the server's flavor lets through,
and with as many queues as its cards have."""

from collections.abc import Iterable, Sequence

import msgspec

from minicloud.core.compute import card_limits, card_queues
from minicloud.core.network import qualities, wishes
from minicloud.core.network.wished import PortWish, QualityWish
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
    machines = {port.machine_id for port in found if port.machine_id}
    limits, queues = card_limits.of_servers(tx, machines), card_queues.of_servers(tx, machines)
    return [_with(port, limits.get(port.machine_id), queues.get(port.machine_id, 1)) for port in found]


def _with(port: PortWish, limits: QualityWish | None, queues: int) -> PortWish:
    if limits is None and queues == port.queues:
        return port
    quality = port.quality if limits is None else qualities.both(port.quality, limits)
    return msgspec.structs.replace(port, quality=quality, queues=queues)
