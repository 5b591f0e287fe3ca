"""Segments of networks, bindings of ports, and networks made on demand."""

from contextlib import AsyncExitStack

import pytest

from minicloud.core.network import network_segments
from minicloud.engines.database import Transaction
from tests.support.clouds import a_cloud
from tests.support.network import MOUNT, a_network_service, a_subnet, ann, error, made, root

pytestmark = pytest.mark.anyio

HOST = {"binding:host_id": "one", "device_owner": "compute:nova"}


async def test_a_network_has_a_segment_and_may_get_more() -> None:
    async with a_network_service() as door, root(door) as admin, ann(door) as member:
        network = await made(admin, "network")
        found = (await admin.get(f"/segments?network_id={network['id']}")).json()["segments"]
        assert [one["segmentation_id"] for one in found] == [network["provider:segmentation_id"]]
        more = await made(
            admin, "segment", network_id=network["id"], network_type="vlan", physical_network="p", segmentation_id=9
        )
        assert (more["name"], more["description"], more["segmentation_id"]) == (None, "", 9)
        seen = (await admin.get(f"/networks/{network['id']}")).json()["network"]
        assert [one["provider:network_type"] for one in seen["segments"]] == ["vxlan", "vlan"]
        assert "provider:network_type" not in seen
        taken = await admin.post(
            "/networks",
            json={
                "network": {
                    "provider:network_type": "vlan",
                    "provider:physical_network": "p",
                    "provider:segmentation_id": 9,
                }
            },
        )
        assert error(taken)[:2] == (409, "VlanIdInUse")
        assert (await member.get("/segments")).json()["segments"] == []
        assert (await member.get(f"/segments/{more['id']}")).status_code == 404
        subnet = await a_subnet(admin, network["id"], segment_id=more["id"])
        assert subnet["segment_id"] == more["id"]
        assert (await admin.get(f"/networks/{network['id']}")).json()["network"]["l2_adjacency"] is False
        other = await admin.post(
            "/subnets", json={"subnet": {"network_id": network["id"], "cidr": "10.9.0.0/24", "ip_version": 4}}
        )
        assert error(other)[:2] == (400, "SubnetsNotAllAssociatedWithSegments")
        assert error(await admin.delete(f"/segments/{more['id']}"))[:2] == (409, "SegmentInUse")
        await admin.delete(f"/subnets/{subnet['id']}")
        assert (await admin.delete(f"/segments/{more['id']}")).status_code == 204
        assert error(await admin.delete(f"/segments/{found[0]['id']}"))[:2] == (409, "SegmentInUse")
        assert (await admin.delete(f"/networks/{network['id']}")).status_code == 204
        assert (await admin.get("/segments")).json()["segments"] == []


async def test_a_network_of_several_segments() -> None:
    async with a_network_service() as door, root(door) as admin, ann(door) as member:
        two = [
            {"provider:network_type": "vlan", "provider:physical_network": "a", "provider:segmentation_id": 3},
            {"provider:network_type": "vlan", "provider:physical_network": "b"},
        ]
        network = await made(admin, "network", segments=two)
        assert [one["provider:segmentation_id"] for one in network["segments"]] == [3, 1]
        assert (await member.post("/networks", json={"network": {"segments": two}})).status_code == 403
        both = await admin.post("/networks", json={"network": {"segments": two, "provider:network_type": "vlan"}})
        assert error(both)[:2] == (400, "SegmentsSetInConjunctionWithProviders")


async def test_a_port_moves_to_another_of_its_hosts() -> None:
    async with (
        a_network_service() as door,
        root(door) as admin,
        door.as_("nova", project="service", role="service", mount=MOUNT) as service,
    ):
        network = await made(admin, "network")
        port = await made(admin, "port", network_id=network["id"], **HOST)
        path = f"/ports/{port['id']}/bindings"
        assert [one["status"] for one in (await admin.get(path)).json()["bindings"]] == ["ACTIVE"]
        assert (await admin.post(path, json={"binding": {"host": "two"}})).status_code == 403
        other = await service.post(path, json={"binding": {"host": "two"}})
        assert other.status_code == 201, other.text
        assert (other.json()["binding"]["status"], other.json()["binding"]["vif_type"]) == ("INACTIVE", "bridge")
        twice = await service.post(path, json={"binding": {"host": "two"}})
        assert error(twice)[:2] == (409, "PortBindingAlreadyExists")
        moved = await service.put(f"{path}/two/activate")
        assert moved.json()["status"] == "ACTIVE"
        assert (await admin.get(f"/ports/{port['id']}")).json()["port"]["binding:host_id"] == "two"
        assert {one["host"]: one["status"] for one in (await admin.get(path)).json()["bindings"]} == {
            "two": "ACTIVE",
            "one": "INACTIVE",
        }
        assert error(await service.put(f"{path}/two/activate"))[:2] == (409, "PortBindingAlreadyActive")
        assert (await service.delete(f"{path}/one")).status_code == 204
        assert error(await service.get(f"{path}/one"))[:2] == (404, "PortBindingNotFound")


async def test_a_network_is_made_for_a_project_that_asks() -> None:
    async with a_network_service() as door, root(door) as admin, ann(door) as member:
        path = "/auto-allocated-topology/red"
        assert error(await member.get(f"{path}?fields=dry-run")) == (
            409,
            "AutoAllocationFailure",
            "Deployment error: No default router:external network.",
        )
        outside = await made(admin, "network", is_default=True, **{"router:external": True})
        await a_subnet(admin, outside["id"], "203.0.113.0/24", enable_dhcp=False)
        assert "No default subnetpools defined" in error(await member.get(path))[2]
        pool = {"name": "p", "prefixes": ["10.7.0.0/16"], "is_default": True, "shared": True, "default_prefixlen": 26}
        await made(admin, "subnetpool", **pool)
        assert (await member.get(f"{path}?fields=dry-run")).json()["auto_allocated_topology"]["id"] == "dry-run=pass"
        found = (await member.get(path)).json()["auto_allocated_topology"]
        assert found["project_id"] == "red"
        assert (await member.get("/auto-allocated-topology/None")).json()["auto_allocated_topology"] == found
        network = (await member.get(f"/networks/{found['id']}")).json()["network"]
        assert (network["name"], len(network["subnets"])) == ("auto_allocated_network", 1)
        routers = (await member.get("/routers")).json()["routers"]
        assert routers[0]["external_gateway_info"]["network_id"] == outside["id"]
        assert (await member.get("/auto-allocated-topology/blue")).status_code == 403
        assert (await member.delete(path)).status_code == 204
        assert (await member.get(f"/networks/{found['id']}")).status_code == 404
        assert (await member.get("/routers")).json()["routers"] == []
        second = await admin.post("/networks", json={"network": {"router:external": True, "is_default": True}})
        assert error(second)[:2] == (409, "DefaultExternalNetworkExists")


async def test_a_server_that_takes_any_network_gets_one_made() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        admin = cloud.admin
        found = (await admin.get(f"{MOUNT}/networks?name=private")).json()["networks"][0]
        ports = (
            await admin.get(f"{MOUNT}/ports?network_id={found['id']}&device_owner=network:router_interface")
        ).json()
        router = ports["ports"][0]["device_id"]
        parted = await admin.put(
            f"{MOUNT}/routers/{router}/remove_router_interface", json={"port_id": ports["ports"][0]["id"]}
        )
        assert parted.status_code == 200, parted.text
        assert (await admin.delete(f"{MOUNT}/networks/{found['id']}")).status_code == 204
        server = await cloud.a_server()
        networks = (await admin.get(f"{MOUNT}/networks?name=auto_allocated_network")).json()["networks"]
        assert [one["admin_state_up"] for one in networks] == [True]
        taken = (await admin.get(f"{MOUNT}/ports?device_id={server['id']}")).json()["ports"]
        assert [one["network_id"] for one in taken] == [networks[0]["id"]]


async def test_numbers_of_segments_come_round_and_come_to_an_end() -> None:
    async with a_network_service() as door, root(door) as admin:
        await admin.put("/quotas/admin", json={"quota": {"network": -1}})
        vlan = {"provider:network_type": "vlan", "provider:physical_network": "p"}
        last = await made(admin, "network", **vlan, **{"provider:segmentation_id": 4094})
        assert last["provider:segmentation_id"] == 4094
        assert [(await made(admin, "network", **vlan))["provider:segmentation_id"] for _ in range(3)] == [1, 2, 3]

        def fill(tx: Transaction) -> None:
            for number in range(4, 4094):
                network_segments.add(tx, last["id"], ("vlan", "p", number))

        await door.database.write(fill)
        full = await admin.post("/networks", json={"network": vlan})
        assert error(full) == (
            503,
            "NoNetworkAvailable",
            "Unable to create the network. No project network is available for allocation.",
        )
