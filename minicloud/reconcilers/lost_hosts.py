"""Hosts that fell silent, and hosts that came back: what the control side remembers of them is forgotten, so that it is built anew."""

from minicloud.base import trace
from minicloud.core.compute import hosts
from minicloud.reconcilers.loop import Mending


class LostHosts:
    """Remembers who was down at the last look. Their servers stay theirs: moving them is an operator's decision (evacuate)."""

    name = "lost_hosts"

    def __init__(self) -> None:
        self._down: frozenset[str] = frozenset()

    async def mend(self, at: Mending) -> list[str]:
        members = await at.world.servicegroup.members()
        known = {hosts.member(node.host): node.host for node in await at.world.database.read(hosts.nodes)}
        down = frozenset(host for member, host in known.items() if member not in members or not members[member].up)
        told = []
        for host in sorted(down - self._down):
            taken = (await at.world.database.read(hosts.used)).get(host, (0, 0, 0, 0))[0]
            trace.note("host_lost", host=host, servers=taken)
            at.world.wiring.forget(host)
            told.append(f"host {host} is down, with {taken} servers on it")
        for host in sorted(self._down - down):
            trace.note("host_back", host=host)
            at.world.wiring.forget(host)
            told.append(f"host {host} is back")
        self._down = down
        return told
