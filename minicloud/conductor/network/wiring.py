"""Makes hosts hold the networks, routers and ports that the records wish for; many that wait for one host share its messages.

As with a database's group commit: whoever wants a port wired while its host is being sent networks waits for the next
round, which reads the wishes anew and so holds everything that was committed before it began. What a host has acknowledged
in this process's life is remembered, and not sent again until it differs.
"""

from collections.abc import Iterable
from typing import TypeVar

import anyio
import msgspec

from minicloud.agent import calls
from minicloud.agent.calls import Agents
from minicloud.base import trace
from minicloud.base.errors import CloudError, Conflict, NotFound
from minicloud.core.network import wishes
from minicloud.engines.database import Database, Transaction

T = TypeVar("T")


class _Round:
    """Networks that are wanted on a host, and what became of each; ``outcome`` is None until the round is over."""

    __slots__ = ("networks", "outcome")

    def __init__(self) -> None:
        self.networks: set[str] = set()
        self.outcome: dict[str, CloudError | None] | None = None


class _Host:
    """What is known of a host: whose turn it is, the round that is being gathered, and what it acknowledged."""

    __slots__ = ("gathering", "networks", "routers", "turn")

    def __init__(self) -> None:
        self.turn = anyio.Lock()
        self.gathering: _Round | None = None
        self.networks: dict[str, calls.Network] = {}
        self.routers: dict[str, calls.Router] = {}


class _Wanted(msgspec.Struct, frozen=True):
    """The wishes of one round: networks in order, routers after them; what could not be read stands in ``missing``."""

    networks: dict[str, calls.Network]
    routers: dict[str, list[calls.Router]]
    missing: dict[str, CloudError]


class Wiring:
    """Brings hosts in line with the records of the network service. One per process, held by the World."""

    def __init__(self, database: Database, agents: Agents, *, shared: bool = False) -> None:
        """``shared``: all hosts stand on one fabric, so that a network has the leases of every host."""
        self._database = database
        self._agents = agents
        self._shared = shared
        self._hosts: dict[str, _Host] = {}

    async def ensure_port(self, host: str, port_id: str) -> None:
        """The port, its network, and the routers of that stand on the host, leases of every port committed so far included.

        Raises NotFound (no such port), Conflict (kind ``not_bound``: its record says another host), and what hosts raise.
        """
        wish = await self._database.read(lambda tx: wishes.port_wish(tx, port_id))
        if wish.host != host:
            raise Conflict(
                f"Port {port_id} is bound to {wish.host or 'no host'}, not to {host}: bind it before it is wired",
                kind="not_bound",
            )
        await self.ensure_network(host, wish.network_id)
        port = _spec(wish, calls.Port)
        try:
            await self._agents.ask(host, calls.EnsurePort(port=port))
        except NotFound as error:
            # The host lost the network behind our back (it was purged, or restarted before anybody told us): once more.
            trace.note("network_lost", host=host, network=wish.network_id, error=error.message)
            self._forget_network(host, wish.network_id)
            await self.ensure_network(host, wish.network_id)
            await self._agents.ask(host, calls.EnsurePort(port=port))

    async def ensure_no_port(self, host: str, port_id: str) -> None:
        """Nothing of the port is left on the host. Raises what hosts raise."""
        await self._agents.ask(host, calls.EnsureNoPort(port_id=port_id))

    async def ensure_network(self, host: str, network_id: str) -> None:
        """The network and its routers stand on the host as the records wish at some moment after this call began."""
        known = self._hosts.setdefault(host, _Host())
        round_ = known.gathering
        if round_ is None:
            round_ = known.gathering = _Round()
        round_.networks.add(network_id)
        async with known.turn:
            if round_.outcome is None:
                # The first of a round to get its turn goes for all; were it cancelled, the next one would go again.
                if known.gathering is round_:
                    known.gathering = None
                round_.outcome = await self._go(host, known, round_.networks)
        error = round_.outcome[network_id]
        if error is not None:
            raise error

    async def ensure_no_network(self, host: str, network_id: str) -> None:
        """Nothing of the network is left on the host. Raises what hosts raise."""
        known = self._hosts.setdefault(host, _Host())
        async with known.turn:
            self._forget_network(host, network_id)
            await self._agents.ask(host, calls.EnsureNoNetwork(network_id=network_id))

    async def ensure_no_router(self, host: str, router_id: str) -> None:
        """Nothing of the router is left on the host. Raises what hosts raise."""
        known = self._hosts.setdefault(host, _Host())
        async with known.turn:
            known.routers.pop(router_id, None)
            await self._agents.ask(host, calls.EnsureNoRouter(router_id=router_id))

    def forget(self, host: str) -> None:
        """The host has restarted: nothing that it acknowledged before counts any more."""
        known = self._hosts.get(host)
        if known is not None:
            known.networks.clear()
            known.routers.clear()

    def _forget_network(self, host: str, network_id: str) -> None:
        known = self._hosts.get(host)
        if known is None:
            return
        known.networks.pop(network_id, None)
        for router in list(known.routers.values()):
            if any(end.network_id == network_id for end in (*router.interfaces, router.gateway) if end is not None):
                del known.routers[router.id]

    async def _go(self, host: str, known: _Host, networks: set[str]) -> dict[str, CloudError | None]:
        """One round: read, send what differs, tell what became of each network. One failing network fails only its own."""
        wanted = await self._database.read(lambda tx: _read(tx, networks, None if self._shared else host))
        failed: dict[str, CloudError] = {}

        async def send(network: calls.Network) -> None:
            known.networks.pop(network.id, None)  # until it is acknowledged, nobody knows what stands
            try:
                await self._agents.ask(host, calls.EnsureNetwork(network=network))
            except CloudError as error:
                failed[network.id] = error
            else:
                known.networks[network.id] = network

        different = [network for network in wanted.networks.values() if known.networks.get(network.id) != network]
        if len(different) == 1:
            await send(different[0])
        elif different:
            async with anyio.create_task_group() as tasks:
                for network in different:
                    tasks.start_soon(send, network)
        outcome: dict[str, CloudError | None] = {}
        for network_id in sorted(networks):
            outcome[network_id] = wanted.missing.get(network_id) or failed.get(network_id)
            if outcome[network_id] is None:
                outcome[network_id] = await self._send_routers(host, known, wanted.routers[network_id], failed)
        trace.note(
            "wired",
            host=host,
            networks=sorted(networks),
            sent=[network.id for network in different],
            failed=sorted(failed),
        )
        return outcome

    async def _send_routers(
        self, host: str, known: _Host, routers: Iterable[calls.Router], failed: dict[str, CloudError]
    ) -> CloudError | None:
        for router in routers:
            for end in (*router.interfaces, router.gateway):
                if end is not None and end.network_id in failed:
                    return failed[end.network_id]
            if known.routers.get(router.id) == router:
                continue
            known.routers.pop(router.id, None)
            try:
                await self._agents.ask(host, calls.EnsureRouter(router=router))
            except CloudError as error:
                return error
            known.routers[router.id] = router
        return None


def port_spec(tx: Transaction, port_id: str) -> calls.Port:
    """A port as its host is told. Raises NotFound."""
    return _spec(wishes.port_wish(tx, port_id), calls.Port)


def _read(tx: Transaction, networks: set[str], host: str | None) -> _Wanted:
    """Networks, the routers on them, and the other networks of those routers, all as of one moment."""
    wanted = _Wanted({}, {}, {})
    for network_id in sorted(networks):
        try:
            wanted.networks[network_id] = _spec(wishes.network_wish(tx, network_id, host), calls.Network)
        except NotFound as error:
            wanted.missing[network_id] = error
            continue
        routers = wishes.routers_of_network(tx, network_id)
        for other in dict.fromkeys(other for router in routers for other in router.network_ids):
            if other not in wanted.networks:
                wanted.networks[other] = _spec(wishes.network_wish(tx, other, host), calls.Network)
        wanted.routers[network_id] = [_spec(router, calls.Router) for router in routers]
    return wanted


def _spec(wish: msgspec.Struct, kind: type[T]) -> T:
    """A wish as the struct of the same shape that hosts are sent."""
    return msgspec.convert(wish, kind, from_attributes=True)
