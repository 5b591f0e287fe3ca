"""Wiring: what a port needs stands on its host, in few messages, and never with the lease of a committed port left out."""

from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest

from minicloud.agent import calls
from minicloud.agent.calls import Agents
from minicloud.base.errors import Conflict, Failed, NotFound
from minicloud.conductor.network.wiring import Wiring
from minicloud.core import records
from minicloud.core.network import bootstrap, floatingips, networks, ports, router_interfaces, routers
from minicloud.core.network.rows import AddressPair, FloatingIp, Network, Port, Router, Subnet
from minicloud.drivers.fabric.fake import FakeFabric
from minicloud.engines.database.inline import InlineDatabase
from minicloud.engines.messaging.inprocess import InProcess
from tests.support.networks import ADMIN, PROJECT, a_host, a_member, a_network, a_port, a_subnet

pytestmark = pytest.mark.anyio


class Cloud:
    """A new cloud's networks, two hosts, and the wiring between."""

    def __init__(self) -> None:
        self.database = InlineDatabase()
        self.fabrics = {"one": FakeFabric(), "two": FakeFabric()}
        self.heard: dict[str, list[Any]] = {}

    async def open(self, stack: AsyncExitStack) -> "Cloud":
        messaging = await stack.enter_async_context(InProcess())
        for host, fabric in self.fabrics.items():
            self.heard[host] = await stack.enter_async_context(a_host(messaging, host, fabric))
        self.wiring = Wiring(self.database, Agents(messaging))
        await self.database.write(
            lambda tx: bootstrap.ensure_networks(tx, demo_project_id=PROJECT, admin_project_id="admin")
        )
        self.private, self.public = await self.database.read(
            lambda tx: [records.select(tx, Network, "name = ?", [name])[0] for name in ("private", "public")]
        )
        return self

    async def a_server_port(self, host: str, server_id: str = "server") -> str:
        def work(tx: Any) -> str:
            port = ports.create_for_server(tx, a_member(), self.private.id, server_id, security_groups=["default"])
            return ports.bind(tx, port.id, host).id

        return await self.database.write(work)

    def count(self, host: str, kind: type) -> int:
        return sum(isinstance(message, kind) for message in self.heard[host])


async def test_a_port_brings_its_network_and_the_way_out_with_it() -> None:
    async with AsyncExitStack() as stack:
        cloud = await Cloud().open(stack)
        port_id = await cloud.a_server_port("one")
        await cloud.wiring.ensure_port("one", port_id)
        state = cloud.fabrics["one"].state()
        private = state.networks[cloud.private.id]
        assert [(s.cidr, s.gateway, s.dhcp, s.dhcp_address) for s in private.subnets] == [
            ("10.10.0.0/22", "10.10.0.1", True, "10.10.0.2")
        ]
        assert [(lease.address, lease.hostname) for lease in private.leases] == [("10.10.0.3", "host-10-10-0-3")]
        assert state.networks[cloud.public.id].external
        [router] = state.routers.values()
        assert [end.addresses for end in router.interfaces] == [["10.10.0.1/22"]]
        assert router.gateway is not None
        assert router.gateway.addresses == ["172.24.4.10/24"]
        assert router.next_hops == ["172.24.4.1"]
        assert state.ports[port_id].addresses == ["10.10.0.3"]
        assert state.ports[port_id].machine_id == "server"
        assert cloud.heard["two"] == []
        await cloud.wiring.ensure_no_port("one", port_id)
        assert cloud.fabrics["one"].state().ports == {}


async def test_what_a_host_acknowledged_is_not_sent_again_until_it_differs() -> None:
    async with AsyncExitStack() as stack:
        cloud = await Cloud().open(stack)
        port_id = await cloud.a_server_port("one")
        await cloud.wiring.ensure_port("one", port_id)
        before = cloud.count("one", calls.EnsureNetwork)
        await cloud.wiring.ensure_port("one", port_id)
        assert cloud.count("one", calls.EnsureNetwork) == before
        await cloud.database.write(
            lambda tx: floatingips.create(tx, ADMIN, project_id=PROJECT, network_id=cloud.public.id, port_id=port_id)
        )
        await cloud.wiring.ensure_port("one", port_id)
        assert cloud.count("one", calls.EnsureNetwork) == before
        assert cloud.count("one", calls.EnsureRouter) == 2
        assert [r.floating for r in cloud.fabrics["one"].state().routers.values()] == [{"172.24.4.11": "10.10.0.3"}]
        cloud.wiring.forget("one")
        await cloud.wiring.ensure_port("one", port_id)
        assert cloud.count("one", calls.EnsureNetwork) == 2 * before


async def test_a_storm_shares_messages_and_leaves_no_lease_out() -> None:
    async with AsyncExitStack() as stack:
        cloud = await Cloud().open(stack)
        slots = anyio.CapacityLimiter(16)

        async def boot(number: int) -> None:
            async with slots:
                port_id = await cloud.a_server_port("one", f"server-{number}")
                await cloud.wiring.ensure_port("one", port_id)
                leases = cloud.fabrics["one"].state().networks[cloud.private.id].leases
                wired = cloud.fabrics["one"].state().ports[port_id]
                assert (wired.mac, wired.addresses[0]) in [(lease.mac, lease.address) for lease in leases]

        async with anyio.create_task_group() as tasks:
            for number in range(200):
                tasks.start_soon(boot, number)
        assert len(cloud.fabrics["one"].state().ports) == 200
        assert len({port.addresses[0] for port in cloud.fabrics["one"].state().ports.values()}) == 200
        assert cloud.count("one", calls.EnsureNetwork) <= 60
        assert cloud.count("one", calls.EnsureRouter) == 1


async def test_a_failing_network_fails_all_that_waited_for_it_and_no_other() -> None:
    async with AsyncExitStack() as stack:
        cloud = await Cloud().open(stack)

        def other(tx: Any) -> str:
            network = a_network(tx)
            a_subnet(tx, network, "10.9.0.0/24")
            port = a_port(tx, network, device_id="x", device_owner="compute:nova").port
            return ports.bind(tx, port.id, "one").id

        lonely = await cloud.database.write(other)
        port_ids = [await cloud.a_server_port("one", f"s{n}") for n in range(3)]
        await cloud.wiring.ensure_port("one", lonely)
        cloud.fabrics["one"].fail_next("ensure_network", Failed("no bridge"), times=1)
        outcomes: dict[str, str] = {}

        async def wire(port_id: str) -> None:
            try:
                await cloud.wiring.ensure_port("one", port_id)
                outcomes[port_id] = "wired"
            except Failed as error:
                outcomes[port_id] = error.message

        async with anyio.create_task_group() as tasks:
            for port_id in [*port_ids, lonely]:
                tasks.start_soon(wire, port_id)
        assert outcomes[lonely] == "wired"
        assert {outcomes[port_id] for port_id in port_ids} == {"no bridge"}
        await wire(port_ids[0])
        assert outcomes[port_ids[0]] == "wired"


async def test_whoever_waits_goes_when_the_one_who_went_first_is_cancelled() -> None:
    async with AsyncExitStack() as stack:
        cloud = await Cloud().open(stack)
        port_ids = [await cloud.a_server_port("one", f"s{n}") for n in range(2)]
        async with anyio.create_task_group() as tasks:
            scope = anyio.CancelScope()

            async def first() -> None:
                with scope:
                    await cloud.wiring.ensure_port("one", port_ids[0])

            tasks.start_soon(first)
            tasks.start_soon(cloud.wiring.ensure_port, "one", port_ids[1])
            await anyio.lowlevel.checkpoint()
            scope.cancel()
        assert port_ids[1] in cloud.fabrics["one"].state().ports


async def test_a_network_that_a_host_lost_is_sent_once_more() -> None:
    async with AsyncExitStack() as stack:
        cloud = await Cloud().open(stack)
        port_id = await cloud.a_server_port("one")
        await cloud.wiring.ensure_port("one", port_id)
        await cloud.fabrics["one"].purge()
        with pytest.raises(NotFound):
            await cloud.wiring.ensure_port("one", "11111111-1111-1111-1111-111111111111")
        # The router's other network was lost, too: forgetting the network forgets the routers on it.
        cloud.wiring.forget("one")
        await cloud.wiring.ensure_port("one", port_id)
        await cloud.fabrics["one"].ensure_no_network(cloud.private.id)
        await cloud.wiring.ensure_port("one", port_id)
        assert port_id in cloud.fabrics["one"].state().ports


async def test_a_port_is_wired_only_where_it_is_bound() -> None:
    async with AsyncExitStack() as stack:
        cloud = await Cloud().open(stack)
        port_id = await cloud.a_server_port("one")
        with pytest.raises(Conflict, match="bind it before it is wired"):
            await cloud.wiring.ensure_port("two", port_id)
        assert cloud.heard["two"] == []


async def test_each_host_has_the_leases_of_its_own_guests() -> None:
    async with AsyncExitStack() as stack:
        cloud = await Cloud().open(stack)
        for host in ("one", "two"):
            await cloud.wiring.ensure_port(host, await cloud.a_server_port(host, f"on-{host}"))
        leases = {
            host: [lease.address for lease in fabric.state().networks[cloud.private.id].leases]
            for host, fabric in cloud.fabrics.items()
        }
        assert leases == {"one": ["10.10.0.3"], "two": ["10.10.0.4"]}


async def test_the_networks_of_a_new_cloud_are_made_once() -> None:
    async with AsyncExitStack() as stack:
        cloud = await Cloud().open(stack)
        await cloud.database.write(
            lambda tx: bootstrap.ensure_networks(tx, demo_project_id=PROJECT, admin_project_id="admin")
        )
        found = await cloud.database.read(lambda tx: records.select(tx, Network))
        assert sorted(network.name for network in found) == ["private", "public"]
        chosen = await cloud.database.read(lambda tx: networks.automatic(tx, a_member("anyone")))
        assert chosen is not None
        assert chosen.name == "private"


async def test_what_has_changed_reaches_the_hosts_that_were_told_and_nothing_else_does() -> None:
    async with AsyncExitStack() as stack:
        cloud = await Cloud().open(stack)
        port_id = await cloud.a_server_port("one")
        await cloud.wiring.ensure_port("one", port_id)
        told = len(cloud.heard["one"])
        assert await cloud.wiring.refresh("one") == []
        assert len(cloud.heard["one"]) == told
        floating = await cloud.database.write(
            lambda tx: floatingips.create(tx, ADMIN, project_id=PROJECT, network_id=cloud.public.id, port_id=port_id)
        )
        [sent] = await cloud.wiring.refresh("one")
        assert sent.startswith("router ")
        [router] = cloud.fabrics["one"].state().routers.values()
        assert router.floating == {floating.floating_ip_address: "10.10.0.3"}
        await cloud.database.write(lambda tx: floatingips.delete(tx, floatings(tx)[0]))
        await cloud.wiring.refresh("one")
        assert [r.floating for r in cloud.fabrics["one"].state().routers.values()] == [{}]
        assert await cloud.wiring.refresh("two") == []
        assert cloud.heard["two"] == []


async def test_a_port_that_is_taken_down_is_not_laid_again_by_a_refresh() -> None:
    async with AsyncExitStack() as stack:
        cloud = await Cloud().open(stack)
        port_id = await cloud.a_server_port("one")
        await cloud.wiring.ensure_port("one", port_id)
        pairs = [AddressPair("10.10.0.200")]
        await cloud.database.write(
            lambda tx: ports.change(tx, records.get(tx, Port, port_id), allowed_address_pairs=pairs)
        )
        sent = await cloud.wiring.refresh("one")
        assert sent == [
            f"network {cloud.fabrics['one'].state().ports[port_id].network_id} on one",
            f"port {port_id} on one",
        ]
        assert cloud.fabrics["one"].state().ports[port_id].allowed_pairs[0][0] == "10.10.0.200"
        await cloud.wiring.ensure_no_port("one", port_id)
        await cloud.database.write(
            lambda tx: ports.change(tx, records.get(tx, Port, port_id), allowed_address_pairs=[])
        )
        await cloud.wiring.refresh("one")
        assert cloud.fabrics["one"].state().ports == {}


async def test_a_router_and_a_network_that_are_gone_leave_the_host() -> None:
    async with AsyncExitStack() as stack:
        cloud = await Cloud().open(stack)
        port_id = await cloud.a_server_port("one")
        await cloud.wiring.ensure_port("one", port_id)

        def away(tx: Any) -> None:
            [router] = records.select(tx, Router)
            [inside] = records.select(tx, Subnet, "network_id = ?", [cloud.private.id])
            router_interfaces.remove(tx, router, subnet_id=inside.id)
            routers.delete(tx, records.get(tx, Router, router.id))
            ports.release_of_server(tx, "server")
            networks.delete(tx, records.get(tx, Network, cloud.private.id))

        await cloud.database.write(away)
        await cloud.wiring.refresh("one")
        state = cloud.fabrics["one"].state()
        assert (list(state.networks), state.routers, state.ports) == ([cloud.public.id], {}, {})


def floatings(tx: Any) -> list[FloatingIp]:
    return records.select(tx, FloatingIp)
