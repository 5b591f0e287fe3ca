"""Fabric: every host has the networks, routers and ports that the records wish for it, and none that the records forgot.

Sending a wish again is how a host repairs what was damaged behind its back: a bridge that somebody deleted, a dnsmasq that
died. Living guests' traffic is not cut by it.
"""

import msgspec

from minicloud.agent import calls
from minicloud.base import trace
from minicloud.base.errors import CloudError
from minicloud.conductor import log
from minicloud.conductor.network import wanted as wanted_there
from minicloud.core.network import router_wishes, wishes
from minicloud.engines.database import Transaction
from minicloud.reconcilers import reports
from minicloud.reconcilers.loop import Mending


class _Wanted(msgspec.Struct, frozen=True):
    """What a host shall have, and what exists at all, of routers what an agent serves (one fabric may serve several hosts)."""

    networks: list[str]
    ports: list[str]
    limited: set[str]
    known_networks: set[str]
    known_routers: set[str]
    quiet: bool


class FabricReconciler:
    """Renews the networks of every host that has ports, wires what is missing, and takes down what no record knows."""

    name = "fabric"

    async def mend(self, at: Mending) -> list[str]:
        mended: list[str] = []
        found = await reports.of_hosts(at)
        bound = await at.world.database.read(wishes.hosts_with_ports)
        for host, report in found.items():
            facts = report.fabric
            if host not in bound and not (facts.networks or facts.routers or facts.ports):
                at.world.wiring.renew(host)  # nothing is wished there, and nothing is there
                continue
            try:
                mended += await _host(at, host, facts)
            except CloudError as error:
                trace.note("fabric_not_mended", host=host, error=error.message)
                mended.append(f"{host} could not be mended: {error.message}")
        return mended


async def _host(at: Mending, host: str, facts: calls.FabricFacts) -> list[str]:
    def read(tx: Transaction) -> _Wanted:
        return _Wanted(
            wishes.networks_on(tx, host),
            wishes.ports_on(tx, host),
            wishes.limited(tx, host),
            set(wishes.all_networks(tx)),
            set(router_wishes.all_routers(tx, wanted_there.agents_at(tx, host, shared=at.world.wiring.shared))),
            # What a saga is wiring this moment is not missing, and what it is taking down is not left over.
            not log.under_way(tx),
        )

    wanted = await at.world.database.read(read)
    mended = [
        f"network {network} was missing on {host}" for network in wanted.networks if network not in facts.networks
    ]
    at.world.wiring.renew(host)
    for network in wanted.networks:
        await at.world.wiring.ensure_network(host, network)
    if not wanted.quiet:
        return mended
    for port in wanted.ports:
        if port not in facts.ports:
            await at.world.wiring.ensure_port(host, port)
            mended.append(f"port {port} was missing on {host}")
        elif port in wanted.limited:
            # Whether its limits are still laid, only the host can see; one that has none has nothing to lose.
            await at.world.wiring.ensure_port(host, port)
    for router in facts.routers:
        if router not in wanted.known_routers:
            await at.world.wiring.ensure_no_router(host, router)
            mended.append(f"router {router} was left on {host}")
    for network in facts.networks:
        if network not in wanted.known_networks:
            await at.world.wiring.ensure_no_network(host, network)
            mended.append(f"network {network} was left on {host}")
    return mended
