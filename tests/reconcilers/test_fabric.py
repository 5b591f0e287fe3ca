"""Fabric: what hosts lost is laid again, what no record knows is taken down, and a healthy host hears nothing new of it."""

from contextlib import AsyncExitStack

import msgspec
import pytest

from minicloud.drivers.fabric import Limit, Network, Quality, Router
from minicloud.drivers.fabric.fake import FakeFabric
from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio
STRANGER = "5eed0000-0000-4000-8000-000000000001"


def fabric(cloud: TestedCloud, host: str) -> FakeFabric:
    found = cloud.cloud.agents[host].fabric
    assert isinstance(found, FakeFabric)
    return found


async def test_what_a_host_lost_is_laid_again_and_only_there() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2)
        for number in range(2):
            await cloud.a_server(name=f"web{number}")
        await cloud.reconciled()  # the first host's security groups hear of the second host's server
        before = {host: fabric(cloud, host).state() for host in ("host-1", "host-2")}
        assert all(state.ports and state.networks and state.routers for state in before.values())
        assert (await cloud.reconciled())["fabric"] == []
        await fabric(cloud, "host-1").purge()
        mended = (await cloud.reconciled())["fabric"]
        assert mended
        assert all("was missing on host-1" in told for told in mended)
        assert {host: fabric(cloud, host).state() for host in before} == before
        assert (await cloud.reconciled())["fabric"] == []


async def test_networks_and_routers_that_no_record_knows_are_taken_down() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        await cloud.a_server()
        before = fabric(cloud, "host-1").state()
        await fabric(cloud, "host-1").ensure_network(Network(id=STRANGER, subnets=[], leases=[]))
        await fabric(cloud, "host-1").ensure_router(Router(id=STRANGER, interfaces=[]))
        assert sorted((await cloud.reconciled())["fabric"]) == [
            f"network {STRANGER} was left on host-1",
            f"router {STRANGER} was left on host-1",
        ]
        assert fabric(cloud, "host-1").state() == before
        assert (await cloud.reconciled())["fabric"] == []


async def test_a_host_that_is_down_is_passed_over() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2)
        for number in range(2):
            await cloud.a_server(name=f"web{number}")
        await cloud.host_silent("host-1")
        await fabric(cloud, "host-1").purge()
        assert (await cloud.reconciled())["fabric"] == []
        cloud.cloud.world.servicegroup.resume("nova-compute@host-1")
        assert (await cloud.reconciled())["fabric"] != []
        assert len(fabric(cloud, "host-1").state().ports) == 1


async def test_a_port_with_limits_is_looked_after_each_time() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        [port] = (await cloud.admin.get(f"/network/v2.0/ports?device_id={server['id']}")).json()["ports"]
        policies = "/network/v2.0/qos/policies"
        policy = (await cloud.admin.post(policies, json={"policy": {"name": "q"}})).json()["policy"]
        rule = {"bandwidth_limit_rule": {"max_kbps": 1000}}
        await cloud.admin.post(f"{policies}/{policy['id']}/bandwidth_limit_rules", json=rule)
        limited = {"port": {"qos_policy_id": policy["id"]}}
        assert (await cloud.admin.put(f"/network/v2.0/ports/{port['id']}", json=limited)).status_code == 200
        await cloud.reconciled()
        wired = fabric(cloud, "host-1").state().ports[port["id"]]
        assert wired.quality == Quality(egress=Limit(kbps=1000))
        # Somebody took the limits away, and the port stands all the same.
        await fabric(cloud, "host-1").ensure_port(msgspec.structs.replace(wired, quality=Quality()))
        assert (await cloud.reconciled())["fabric"] == []
        assert fabric(cloud, "host-1").state().ports[port["id"]] == wired
