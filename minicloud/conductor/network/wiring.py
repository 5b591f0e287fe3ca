"""Makes hosts hold the networks, routers and ports that the records wish for; many that wait for one host share its messages.

As with a database's group commit: whoever wants a port wired while its host is being sent networks waits for the next
round, which reads the wishes anew and so holds everything that was committed before it began. What a host has acknowledged
in this process's life is remembered, and not sent again until it differs.
"""

from collections.abc import Callable, Iterable

import anyio

from minicloud.agent import calls
from minicloud.agent.calls import Agents
from minicloud.base import trace
from minicloud.base.errors import CloudError, Conflict, NotFound
from minicloud.conductor.network import cards, wanted
from minicloud.core.network.wished import PortWish
from minicloud.engines.database import Database, Transaction


class _Round:
    """Networks that are wanted on a host, and what became of each; ``outcome`` is None until the round is over."""

    __slots__ = ("networks", "outcome")

    def __init__(self) -> None:
        self.networks: set[str] = set()
        self.outcome: dict[str, CloudError | None] | None = None


class _Host:
    """What is known of a host: whose turn it is, the round that is being gathered, and what it acknowledged."""

    __slots__ = ("gathering", "networks", "ports", "routers", "turn")

    def __init__(self) -> None:
        self.turn = anyio.Lock()
        self.gathering: _Round | None = None
        self.networks: dict[str, calls.Network] = {}
        self.routers: dict[str, calls.Router] = {}
        self.ports: dict[str, calls.Port] = {}


class Wiring:
    """Brings hosts in line with the records of the network service. One per process, held by the World."""

    def __init__(self, database: Database, agents: Agents, *, shared: bool = False) -> None:
        """``shared``: networks lead from host to host, so that each has the leases and the members of every host."""
        self._database = database
        self._agents = agents
        self.shared = shared
        self._hosts: dict[str, _Host] = {}
        self._carry: Callable[[], None] | None = None

    def carry_by(self, carry: Callable[[], None]) -> None:
        """From now on ``carry`` is called when all hosts have to hear of something soon: it has ``refresh`` called for each."""
        self._carry = carry

    def members_changed(self) -> None:
        """Addresses came to security groups or left them: rules of ports elsewhere may name them.

        Only where networks lead from host to host do guests reach each other; else it is heard in the reconcilers' next round.
        """
        if self.shared and self._carry is not None:
            self._carry()

    async def ensure_port(self, host: str, port_id: str) -> None:
        """The port, its network, and the routers of that stand on the host, leases of every port committed so far included.

        Raises NotFound (no such port), Conflict (kind ``not_bound``: its record says another host), and what hosts raise.
        """
        await self._ensure(host, await self._database.read(lambda tx: cards.wish(tx, port_id)))

    async def ensure_ports(self, host: str, server_id: str) -> None:
        """All ports of a server, as ``ensure_port`` has it."""
        for wish in await self._database.read(lambda tx: cards.wishes_of(tx, server_id)):
            await self._ensure(host, wish)

    async def ensure_ports_ahead(self, host: str, server_id: str) -> None:
        """All ports of a server stand on a host to which it is on its way, while they are bound elsewhere."""
        for wish in await self._database.read(lambda tx: cards.wishes_of(tx, server_id)):
            await self._ensure(host, wish, ahead=True)

    async def _ensure(self, host: str, wish: PortWish, *, ahead: bool = False) -> None:
        if wish.host != host and not ahead:
            raise Conflict(
                f"Port {wish.id} is bound to {wish.host or 'no host'}, not to {host}: bind it before it is wired",
                kind="not_bound",
            )
        await self.ensure_network(host, wish.network_id)
        port = wanted.spec(wish, calls.Port)
        try:
            await self._send_port(host, port)
        except NotFound as error:
            # The host lost the network behind our back (it was purged, or restarted before anybody told us): once more.
            trace.note("network_lost", host=host, network=wish.network_id, error=error.message)
            self._forget_network(host, wish.network_id)
            await self.ensure_network(host, wish.network_id)
            await self._send_port(host, port)

    async def ensure_no_port(self, host: str, port_id: str) -> None:
        """Nothing of the port is left on the host. Raises what hosts raise."""
        self._hosts.setdefault(host, _Host()).ports.pop(port_id, None)
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

    def told(self) -> set[str]:
        """The hosts that were told of anything: only there can a change be news."""
        return {host for host, known in self._hosts.items() if known.networks or known.routers or known.ports}

    async def refresh(self, host: str) -> list[str]:
        """Send the host what has changed, since it was told, of the things that it was told of. What was sent, in words.

        Raises what hosts raise; what was not sent is still known to differ.
        """
        known = self._hosts.setdefault(host, _Host())
        async with known.turn:
            now = await self._database.read(
                lambda tx: wanted.for_host(
                    tx,
                    host,
                    networks=known.networks,
                    routers=known.routers,
                    ports=known.ports,
                    shared=self.shared,
                )
            )
            sent = [f"network {i} on {host}" for i, network in now.networks.items() if known.networks.get(i) != network]
            sent += [f"router {i} on {host}" for i, router in now.routers.items() if known.routers.get(i) != router]
            sent += [f"port {i} on {host}" for i, port in now.ports.items() if known.ports.get(i) != port]
            failed = await self._send_networks(host, known, now.networks.values())
            error = await self._send_routers(host, known, now.routers.values(), failed)
            for port_id in [port_id for port_id in known.ports if port_id not in now.ports]:
                del known.ports[port_id]
            for port in now.ports.values():
                # One that was taken down since we read is no longer known, and must not be laid again.
                if known.ports.get(port.id, port) != port:
                    await self._send_port(host, port)
            for router_id in now.gone_routers:
                await self._agents.ask(host, calls.EnsureNoRouter(router_id=router_id))
                known.routers.pop(router_id, None)
                sent.append(f"no router {router_id} on {host}")
            for network_id in now.gone_networks:
                await self._agents.ask(host, calls.EnsureNoNetwork(network_id=network_id))
                self._forget_network(host, network_id)
                sent.append(f"no network {network_id} on {host}")
            for trouble in [*failed.values(), error]:
                if trouble is not None:
                    raise trouble
            return sent

    def forget(self, host: str) -> None:
        """The host has restarted: nothing that it acknowledged before counts any more."""
        self.renew(host)
        known = self._hosts.get(host)
        if known is not None:
            known.ports.clear()

    def renew(self, host: str) -> None:
        """Send networks and routers to the host again the next time they are wanted: that repairs what was damaged there."""
        known = self._hosts.get(host)
        if known is not None:
            known.networks.clear()
            known.routers.clear()

    async def _send_port(self, host: str, port: calls.Port) -> None:
        ports = self._hosts.setdefault(host, _Host()).ports
        ports.pop(port.id, None)
        await self._agents.ask(host, calls.EnsurePort(port=port))
        ports[port.id] = port

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
        found = await self._database.read(lambda tx: wanted.for_networks(tx, networks, host, shared=self.shared))
        failed = await self._send_networks(host, known, found.networks.values())
        outcome: dict[str, CloudError | None] = {}
        for network_id in sorted(networks):
            outcome[network_id] = found.missing.get(network_id) or failed.get(network_id)
            if outcome[network_id] is None:
                outcome[network_id] = await self._send_routers(host, known, found.routers[network_id], failed)
        return outcome

    async def _send_networks(self, host: str, known: _Host, networks: Iterable[calls.Network]) -> dict[str, CloudError]:
        """Send the networks that differ from what the host acknowledged, side by side. What failed, by network."""
        failed: dict[str, CloudError] = {}

        async def send(network: calls.Network) -> None:
            known.networks.pop(network.id, None)  # until it is acknowledged, nobody knows what stands
            try:
                await self._agents.ask(host, calls.EnsureNetwork(network=network))
            except CloudError as error:
                failed[network.id] = error
            else:
                known.networks[network.id] = network

        different = [network for network in networks if known.networks.get(network.id) != network]
        if len(different) == 1:
            await send(different[0])
        elif different:
            async with anyio.create_task_group() as tasks:
                for network in different:
                    tasks.start_soon(send, network)
        if different:
            trace.note("networks_sent", host=host, networks=[n.id for n in different], failed=sorted(failed))
        return failed

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


def port_specs_of(tx: Transaction, server_id: str) -> list[calls.Port]:
    """A server's ports as its host is told, in the order of its cards."""
    return [wanted.spec(wish, calls.Port) for wish in cards.wishes_of(tx, server_id)]


def port_spec(tx: Transaction, port_id: str) -> calls.Port:
    """A port as its host is told. Raises NotFound."""
    return wanted.spec(cards.wish(tx, port_id), calls.Port)
