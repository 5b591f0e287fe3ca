"""What users change of their networks reaches hosts at once, through the whole cloud."""

from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest

from minicloud.drivers.fabric import Limit, Quality, Rule
from minicloud.drivers.fabric.fake import FakeFabric
from minicloud.reconcilers.network_changes import BURST_S
from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio
NETWORK = "/network/v2.0"


def fabric_of(cloud: TestedCloud) -> FakeFabric:
    fabric = next(iter(cloud.cloud.agents.values())).fabric
    assert isinstance(fabric, FakeFabric)
    return fabric


async def one(cloud: TestedCloud, path: str) -> dict[str, Any]:
    answer = await cloud.demo.get(f"{NETWORK}{path}")
    [found] = next(iter(answer.json().values()))
    return dict(found)


async def test_a_floating_address_works_a_moment_after_it_was_led_to_a_server() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        port = await one(cloud, f"/ports?device_id={server['id']}")
        public = await one(cloud, "/networks?name=public")
        wanted = {"floating_network_id": public["id"], "port_id": port["id"]}
        made = await cloud.demo.post(f"{NETWORK}/floatingips", json={"floatingip": wanted})
        assert made.status_code == 201, made.text
        address = made.json()["floatingip"]["floating_ip_address"]
        await anyio.sleep(2 * BURST_S)
        [router] = fabric_of(cloud).state().routers.values()
        assert router.floating == {address: port["fixed_ips"][0]["ip_address"]}
        assert [a["addr"] for a in (await cloud.server(server["id"]))["addresses"]["private"]] == [
            port["fixed_ips"][0]["ip_address"],
            address,
        ]
        path = f"{NETWORK}/floatingips/{made.json()['floatingip']['id']}"
        assert (await cloud.demo.delete(path)).status_code == 204
        await anyio.sleep(2 * BURST_S)
        [router] = fabric_of(cloud).state().routers.values()
        assert router.floating == {}


async def test_limits_of_a_floating_address_follow_its_policy() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        port = await one(cloud, f"/ports?device_id={server['id']}")
        public = await one(cloud, "/networks?name=public")
        policies = f"{NETWORK}/qos/policies"
        policy = (await cloud.admin.post(policies, json={"policy": {"name": "q", "shared": True}})).json()["policy"]
        rules = f"{policies}/{policy['id']}/bandwidth_limit_rules"
        rule = (await cloud.admin.post(rules, json={"bandwidth_limit_rule": {"max_kbps": 1000}})).json()
        wanted = {"floating_network_id": public["id"], "port_id": port["id"], "qos_policy_id": policy["id"]}
        made = await cloud.demo.post(f"{NETWORK}/floatingips", json={"floatingip": wanted})
        assert made.status_code == 201, made.text
        floating = made.json()["floatingip"]

        async def limits() -> dict[str, Quality]:
            await anyio.sleep(2 * BURST_S)
            [router] = fabric_of(cloud).state().routers.values()
            return router.limits

        address = floating["floating_ip_address"]
        assert await limits() == {address: Quality(egress=Limit(kbps=1000))}
        faster = {"bandwidth_limit_rule": {"max_kbps": 2000, "max_burst_kbps": 50}}
        changed = await cloud.admin.put(f"{rules}/{rule['bandwidth_limit_rule']['id']}", json=faster)
        assert changed.status_code == 200, changed.text
        assert await limits() == {address: Quality(egress=Limit(kbps=2000, burst_kb=50))}
        freed = await cloud.demo.put(
            f"{NETWORK}/floatingips/{floating['id']}", json={"floatingip": {"qos_policy_id": None}}
        )
        assert freed.json()["floatingip"]["port_id"] == port["id"]
        assert await limits() == {}


async def test_extra_routes_reach_the_router() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        port = await one(cloud, f"/ports?device_id={server['id']}")
        [router] = fabric_of(cloud).state().routers.values()
        assert router.routes == []
        route = ("172.20.0.0/24", port["fixed_ips"][0]["ip_address"])
        body = {"router": {"routes": [{"destination": route[0], "nexthop": route[1]}]}}
        added = await cloud.demo.put(f"{NETWORK}/routers/{router.id}/add_extraroutes", json=body)
        assert added.status_code == 200, added.text
        await anyio.sleep(2 * BURST_S)
        [router] = fabric_of(cloud).state().routers.values()
        assert router.routes == [route]


async def test_security_groups_reach_the_host_of_their_ports() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        port = await one(cloud, f"/ports?device_id={server['id']}")
        default = await one(cloud, "/security-groups?name=default")
        address = port["fixed_ips"][0]["ip_address"]
        [network] = [n for n in fabric_of(cloud).state().networks.values() if n.id == port["network_id"]]
        [group] = network.groups
        assert fabric_of(cloud).state().ports[port["id"]].groups == [group.id] == [default["id"]]
        assert sorted(((rule.ingress, rule.version, rule.members_of) for rule in group.rules), key=str) == [
            *((False, version, None) for version in (4, 6)),
            *((True, version, default["id"]) for version in (4, 6)),
        ]
        assert network.members == {default["id"]: [address]}

        rule = {"security_group_id": default["id"], "direction": "ingress", "protocol": "tcp", "port_range_min": 22}
        rule |= {"port_range_max": 23, "remote_ip_prefix": "192.0.2.0/24"}
        made = await cloud.demo.post(f"{NETWORK}/security-group-rules", json={"security_group_rule": rule})
        assert made.status_code == 201, made.text
        await anyio.sleep(2 * BURST_S)
        [group] = fabric_of(cloud).state().networks[network.id].groups
        assert Rule(ingress=True, version=4, protocol=6, first=22, last=23, remote="192.0.2.0/24") in group.rules

        made = await cloud.demo.post(
            f"{NETWORK}/address-groups", json={"address_group": {"addresses": ["192.0.2.0/24"]}}
        )
        office = made.json()["address_group"]["id"]
        rule = {"security_group_id": default["id"], "direction": "ingress", "remote_address_group_id": office}
        made = await cloud.demo.post(f"{NETWORK}/security-group-rules", json={"security_group_rule": rule})
        assert made.status_code == 201, made.text
        path = f"{NETWORK}/address-groups/{office}/add_addresses"
        assert (await cloud.demo.put(path, json={"addresses": ["198.51.100.0/24"]})).status_code == 200
        await anyio.sleep(2 * BURST_S)
        network = fabric_of(cloud).state().networks[network.id]
        assert network.members == {default["id"]: [address], office: ["192.0.2.0/24", "198.51.100.0/24"]}
        assert Rule(ingress=True, version=4, members_of=office) in network.groups[0].rules
        assert (
            await cloud.demo.delete(f"{NETWORK}/security-group-rules/{made.json()['security_group_rule']['id']}")
        ).status_code == 204

        other = await cloud.demo.post(f"{NETWORK}/security-groups", json={"security_group": {"name": "other"}})
        wanted = {"security_groups": [other.json()["security_group"]["id"]]}
        pairs = [{"ip_address": "198.51.100.7"}]
        changed = await cloud.demo.put(
            f"{NETWORK}/ports/{port['id']}", json={"port": wanted | {"allowed_address_pairs": pairs}}
        )
        assert changed.status_code == 200, changed.text
        await anyio.sleep(2 * BURST_S)
        state = fabric_of(cloud).state()
        assert [group.id for group in state.networks[network.id].groups] == wanted["security_groups"]
        assert state.networks[network.id].members == {}
        assert state.ports[port["id"]].groups == wanted["security_groups"]

        back = await cloud.demo.put(
            f"{NETWORK}/ports/{port['id']}", json={"port": {"security_groups": [default["id"]]}}
        )
        assert back.status_code == 200, back.text
        await anyio.sleep(2 * BURST_S)
        assert fabric_of(cloud).state().networks[network.id].members == {default["id"]: [address, "198.51.100.7"]}


async def test_a_server_that_comes_or_goes_is_a_member_everywhere() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2)
        cloud.cloud.world.wiring.shared = True
        servers = [await cloud.a_server(name=f"web{number}") for number in range(2)]
        ports = [await one(cloud, f"/ports?device_id={server['id']}") for server in servers]
        assert {port["network_id"] for port in ports} == {ports[0]["network_id"]}

        def known() -> list[list[str]]:
            fabrics = [agent.fabric for agent in cloud.cloud.agents.values()]
            states = [fabric.state() for fabric in fabrics if isinstance(fabric, FakeFabric)]
            return [sorted(*state.networks[ports[0]["network_id"]].members.values()) for state in states]

        await anyio.sleep(2 * BURST_S)
        addresses = [port["fixed_ips"][0]["ip_address"] for port in ports]
        assert known() == [sorted(addresses)] * 2
        await cloud.demo.delete(f"/compute/v2.1/servers/{servers[1]['id']}")
        with anyio.fail_after(20):
            while (await cloud.demo.get(f"/compute/v2.1/servers/{servers[1]['id']}")).status_code != 404:  # noqa: ASYNC110
                await anyio.sleep(0.01)
        await anyio.sleep(2 * BURST_S)
        assert known()[0] == [addresses[0]]


async def test_where_hosts_share_no_network_each_knows_the_members_that_can_reach_it() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2)
        servers = [await cloud.a_server(name=f"web{number}") for number in range(2)]
        found = (await cloud.admin.get("/network/v2.0/ports", params={"device_owner": "compute:nova"})).json()["ports"]
        ports = [port for port in found if port["device_id"] in [server["id"] for server in servers]]
        assert {port["binding:host_id"] for port in ports} == set(cloud.cloud.agents)
        pair = {"port": {"allowed_address_pairs": [{"ip_address": "10.9.9.9"}]}}
        assert (await cloud.admin.put(f"/network/v2.0/ports/{ports[0]['id']}", json=pair)).status_code == 200
        await anyio.sleep(2 * BURST_S)
        for port, more in zip(ports, (["10.9.9.9"], []), strict=True):
            fabric = cloud.cloud.agents[port["binding:host_id"]].fabric
            assert isinstance(fabric, FakeFabric)
            (members,) = fabric.state().networks[port["network_id"]].members.values()
            assert members == [port["fixed_ips"][0]["ip_address"], *more]


async def test_a_second_look_changes_nothing() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        await cloud.a_server()
        await cloud.cloud.reconcilers.once()
        before = fabric_of(cloud).state()
        await cloud.cloud.reconcilers.once()
        assert cloud.cloud.reconcilers.last["network_changes"].mended == []
        assert fabric_of(cloud).state() == before
