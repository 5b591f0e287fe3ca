"""Choosing a place for a server that has one: the old place is held under the migration's id, as upstream's moves do it.

The server itself then claims its new place as a new server would, so that both are taken until the move has ended.
"""

from collections.abc import Callable, Sequence

import msgspec

from minicloud.base import trace
from minicloud.base.errors import NotFound
from minicloud.core import records
from minicloud.core.compute import hosts
from minicloud.core.compute.servers import Server, ServerFlavor
from minicloud.core.placement import allocations
from minicloud.core.placement.index import Placement
from minicloud.core.scheduler import asking, occupancy, select
from minicloud.core.scheduler.hosts import KnownHosts
from minicloud.core.scheduler.options import SchedulerOptions
from minicloud.core.scheduler.select import HostChoice
from minicloud.engines.database import Transaction


def choose(
    tx: Transaction,
    placement: Placement,
    server: Server,
    *,
    flavor: ServerFlavor | None = None,
    destination: str | None = None,
    forced: bool = False,
    ignored: Sequence[str] = (),
    is_up: Callable[[str], bool],
    options: SchedulerOptions,
    known: KnownHosts | None = None,
) -> HostChoice:
    """Where the server could go; ``destination`` is the only host that may be, ``forced``: whatever filters say of it.

    Raises NoValidHost, Invalid.

    A host that an administrator forced upon it when it was made counts no more, as upstream resets it for every move.
    """
    wanted = server if flavor is None else server.with_(flavor=flavor)
    request = asking.request_of(tx, wanted, options, ignored=ignored)
    request = msgspec.structs.replace(
        request,
        force_host=destination if forced else None,
        force_node=None,
        requested_host=None if forced else destination,
        requested_node=None,
    )
    return select.select_hosts(tx, placement, request, is_up=is_up, options=options, known=known)[0]


def hold(tx: Transaction, server_id: str, migration_id: str) -> None:
    """What the server has of its host is the migration's from now on; content when it has nothing."""
    try:
        allocations.hand_over(tx, server_id, migration_id, consumer_type=allocations.MIGRATION)
    except NotFound:
        trace.note("nothing_to_hold", server=server_id, migration=migration_id)
    occupancy.hand_over(tx, server_id, migration_id)


def take_back(tx: Transaction, server_id: str, migration_id: str) -> None:
    """The server has its old place again, and no other; content when nothing was held."""
    if records.find(tx, allocations.Consumer, migration_id) is None:
        return
    asking.free(tx, server_id)
    allocations.hand_over(tx, migration_id, server_id, consumer_type=allocations.INSTANCE)
    occupancy.hand_over(tx, migration_id, server_id)


def let_go(tx: Transaction, migration_id: str) -> None:
    """The old place is given up."""
    asking.free(tx, migration_id)


def add(tx: Transaction, server: Server, choice: HostChoice) -> None:
    """The server has its new place beside its old one, both under its own id, as upstream's evacuations do it."""
    _, found = allocations.of_consumer(tx, server.id)
    both: dict[str, dict[str, int]] = {provider: dict(amounts) for provider, amounts in choice.allocations.items()}
    for one in found:
        both.setdefault(one.provider_id, {}).setdefault(one.resource_class, one.used)
    asking.claim(tx, server, msgspec.structs.replace(choice, allocations=both))


def keep_only(tx: Transaction, server: Server, host: str) -> bool:
    """Of all places that the server has, that on this host only; whether there was another. Content when it has none there."""
    node = hosts.node_of(tx, host)
    consumer, found = allocations.of_consumer(tx, server.id)
    others = {other.uuid for other in hosts.nodes(tx) if node is not None and other.uuid != node.uuid}
    kept: dict[str, dict[str, int]] = {}
    for one in found:
        if one.provider_id not in others:
            kept.setdefault(one.provider_id, {})[one.resource_class] = one.used
    if consumer is None or node is None or node.uuid not in kept or all(one.provider_id in kept for one in found):
        return False
    allocations.claim(tx, server.id, consumer.project_id, consumer.user_id, kept)
    return True
