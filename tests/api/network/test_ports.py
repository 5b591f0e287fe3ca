"""/ports and /subnets at the door."""

from typing import Any

import pytest

from minicloud.core.network import ports, quotas
from minicloud.core.network.rows import Port
from minicloud.engines.database import Transaction
from tests.support.network import a_network_service, a_subnet, ann, bob, error, made, root
from tests.support.networks import a_member

pytestmark = pytest.mark.anyio


async def test_a_port_has_an_address_and_the_default_group() -> None:
    async with a_network_service() as door, ann(door) as http:
        network = await made(http, "network")
        subnet = await a_subnet(http, network["id"])
        port = await made(http, "port", network_id=network["id"], name="p")
        assert port["fixed_ips"] == [{"subnet_id": subnet["id"], "ip_address": "10.0.0.3"}]
        assert port["mac_address"].startswith("fa:16:3e:")
        [group] = (await http.get("/security-groups")).json()["security_groups"]
        assert port["security_groups"] == [group["id"]]
        assert (port["status"], port["binding:vnic_type"]) == ("DOWN", "normal")
        assert not {"binding:host_id", "binding:profile", "binding:vif_type", "binding:vif_details"} & set(port)
        assert (await http.get(f"/ports/{port['id']}")).json()["port"] == port
        [dhcp] = (await http.get("/ports?device_owner=network:dhcp")).json()["ports"]
        assert (dhcp["fixed_ips"][0]["ip_address"], dhcp["status"]) == ("10.0.0.2", "ACTIVE")


async def test_an_administrator_binds_a_port() -> None:
    async with a_network_service() as door, ann(door) as http, root(door) as admin:
        network = await made(http, "network")
        port = await made(http, "port", network_id=network["id"])
        refused = await http.put(f"/ports/{port['id']}", json={"port": {"binding:host_id": "h"}})
        assert refused.status_code == 403
        bound = (await admin.put(f"/ports/{port['id']}", json={"port": {"binding:host_id": "h"}})).json()["port"]
        assert (bound["binding:host_id"], bound["binding:vif_type"]) == ("h", "bridge")
        assert [p["id"] for p in (await admin.get("/ports?binding:host_id=h")).json()["ports"]] == [port["id"]]


async def test_addresses_are_asked_for_and_found() -> None:
    async with a_network_service() as door, ann(door) as http:
        network = await made(http, "network")
        one = await a_subnet(http, network["id"])
        two = await a_subnet(http, network["id"], "10.0.1.0/24")
        wished = [{"subnet_id": two["id"]}, {"ip_address": "10.0.0.77"}]
        port = await made(http, "port", network_id=network["id"], fixed_ips=wished)
        assert [f["ip_address"] for f in port["fixed_ips"]] == ["10.0.1.3", "10.0.0.77"]
        taken = await http.post(
            "/ports", json={"port": {"network_id": network["id"], "fixed_ips": [{"ip_address": "10.0.0.77"}]}}
        )
        assert error(taken) == (
            409,
            "IpAddressAlreadyAllocated",
            f"IP address 10.0.0.77 already allocated in subnet {one['id']}",
        )
        outside = await http.post(
            "/ports", json={"port": {"network_id": network["id"], "fixed_ips": [{"ip_address": "10.9.0.1"}]}}
        )
        assert error(outside)[:2] == (400, "InvalidIpForNetwork")

        async def found(query: str) -> list[str]:
            answer = await http.get(f"/ports?device_owner=&fixed_ips={query}")
            return [p["id"] for p in answer.json()["ports"]]

        assert await found("ip_address=10.0.0.77") == [port["id"]]
        assert await found("ip_address_substr=0.7") == [port["id"]]
        assert await found(f"subnet_id={one['id']}&fixed_ips=ip_address=10.0.1.3") == [port["id"]]
        assert await found("ip_address=10.0.0.78") == []
        moved = await http.put(f"/ports/{port['id']}", json={"port": {"fixed_ips": [{"ip_address": "10.0.0.77"}]}})
        assert [f["ip_address"] for f in moved.json()["port"]["fixed_ips"]] == ["10.0.0.77"]
        again = await made(http, "port", network_id=network["id"], fixed_ips=[{"ip_address": "10.0.1.3"}])
        assert again["fixed_ips"][0]["subnet_id"] == two["id"]


async def test_a_full_subnet_says_so_at_the_door() -> None:
    async with a_network_service() as door, ann(door) as http:
        network = await made(http, "network")
        await a_subnet(http, network["id"], "10.0.0.0/30")
        refused = await http.post("/ports", json={"port": {"network_id": network["id"]}})
        assert error(refused) == (
            409,
            "IpAddressGenerationFailure",
            f"No more IP addresses available on network {network['id']}.",
        )


async def test_ports_on_a_shared_network_are_their_makers() -> None:
    async with a_network_service() as door, ann(door) as red, bob(door) as blue, root(door) as admin:
        shared = await made(admin, "network", shared=True)
        subnet = await a_subnet(admin, shared["id"])
        port = await made(red, "port", network_id=shared["id"], fixed_ips=[{"subnet_id": subnet["id"]}])
        assert (await blue.get(f"/ports/{port['id']}")).status_code == 404
        refused = await red.post(
            "/ports", json={"port": {"network_id": shared["id"], "fixed_ips": [{"ip_address": "10.0.0.9"}]}}
        )
        assert refused.status_code == 403
        assert "create_port:fixed_ips:ip_address" in error(refused)[2]
        mine = await made(red, "network")
        foreign = await blue.post("/ports", json={"port": {"network_id": mine["id"]}})
        assert error(foreign)[:2] == (404, "NetworkNotFound")
        assert (await red.delete(f"/ports/{port['id']}")).status_code == 204


async def test_ports_count_against_the_quota() -> None:
    async with a_network_service() as door, ann(door) as http:
        network = await made(http, "network")
        await door.database.write(lambda tx: quotas.change(tx, "red", {"port": 1}))
        await made(http, "port", network_id=network["id"])
        refused = await http.post("/ports", json={"port": {"network_id": network["id"]}})
        assert error(refused) == (409, "OverQuota", "Quota exceeded for resources: ['port'].")


async def test_port_security_and_groups_exclude_each_other() -> None:
    async with a_network_service() as door, ann(door) as http:
        network = await made(http, "network")
        port = await made(http, "port", network_id=network["id"])
        path = f"/ports/{port['id']}"
        refused = await http.put(path, json={"port": {"port_security_enabled": False}})
        assert error(refused)[:2] == (409, "PortSecurityPortHasSecurityGroup")
        freed = await http.put(path, json={"port": {"port_security_enabled": False, "security_groups": []}})
        assert freed.json()["port"]["security_groups"] == []
        group = await made(http, "security_group", name="web")
        back = await http.put(path, json={"port": {"port_security_enabled": True, "security_groups": [group["id"]]}})
        assert back.json()["port"]["security_groups"] == [group["id"]]
        found = (await http.get(f"/ports?security_groups={group['id']}")).json()["ports"]
        assert [p["id"] for p in found] == [port["id"]]
        used = await http.delete(f"/security-groups/{group['id']}")
        assert error(used) == (409, "SecurityGroupInUse", f"Security Group {group['id']} in use.")


async def test_a_subnet_is_what_was_asked_for() -> None:
    async with a_network_service() as door, ann(door) as http:
        network = await made(http, "network")
        subnet = await a_subnet(
            http, network["id"], "10.0.0.7/24", gateway_ip="10.0.0.128", dns_nameservers=["9.9.9.9"]
        )
        assert subnet["cidr"] == "10.0.0.0/24"
        assert subnet["allocation_pools"] == [
            {"start": "10.0.0.1", "end": "10.0.0.127"},
            {"start": "10.0.0.129", "end": "10.0.0.254"},
        ]
        assert subnet["dns_nameservers"] == ["9.9.9.9"]
        overlap = await http.post(
            "/subnets", json={"subnet": {"network_id": network["id"], "cidr": "10.0.0.128/25", "ip_version": 4}}
        )
        assert error(overlap)[:2] == (400, "InvalidInput")
        conflict = await http.post(
            "/subnets",
            json={
                "subnet": {
                    "network_id": network["id"],
                    "cidr": "10.1.0.0/24",
                    "ip_version": 4,
                    "gateway_ip": "10.1.0.5",
                    "allocation_pools": [{"start": "10.1.0.2", "end": "10.1.0.9"}],
                }
            },
        )
        assert error(conflict)[:2] == (409, "GatewayConflictWithAllocationPools")
        changed = await http.put(f"/subnets/{subnet['id']}", json={"subnet": {"enable_dhcp": False, "name": "s"}})
        assert changed.json()["subnet"]["enable_dhcp"] is False
        assert (await http.get("/ports")).json() == {"ports": []}
        port = await made(http, "port", network_id=network["id"])
        refused = await http.delete(f"/subnets/{subnet['id']}")
        assert error(refused) == (
            409,
            "SubnetInUse",
            f"Unable to complete operation on subnet {subnet['id']}: One or more ports have an IP allocation from this "
            "subnet.",
        )
        await http.delete(f"/ports/{port['id']}")
        assert (await http.delete(f"/subnets/{subnet['id']}")).status_code == 204


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"cidr": "10.0.0.0/24", "ip_version": 6}, "InvalidInput"),
        ({"cidr": "10.0.0.0/24", "ip_version": 5}, "HTTPBadRequest"),
        ({"cidr": "10.0.0.0", "ip_version": 4}, "HTTPBadRequest"),
        ({"cidr": "10.0.0.0/31", "ip_version": 4}, "InvalidInput"),
        ({"cidr": "0.0.0.0/0", "ip_version": 4}, "InvalidInput"),
        ({"cidr": "224.0.0.0/24", "ip_version": 4}, "InvalidInput"),
        ({"ip_version": 4}, "BadRequest"),
        ({"cidr": "fd00::/60", "ip_version": 6, "ipv6_address_mode": "slaac"}, "InvalidInput"),
        ({"cidr": "fd00::/64", "ip_version": 6, "ipv6_address_mode": "slaac", "enable_dhcp": False}, "InvalidInput"),
        (
            {"cidr": "fd00::/64", "ip_version": 6, "ipv6_address_mode": "slaac", "ipv6_ra_mode": "dhcpv6-stateful"},
            "InvalidInput",
        ),
        ({"cidr": "10.0.0.0/24", "ip_version": 4, "gateway_ip": "10.0.0.255"}, "InvalidInput"),
        ({"cidr": "10.0.0.0/24", "ip_version": 4, "host_routes": [{"destination": "x"}]}, "HTTPBadRequest"),
        (
            {"cidr": "10.0.0.0/24", "ip_version": 4, "allocation_pools": [{"start": "10.0.1.2", "end": "10.0.1.9"}]},
            "OutOfBoundsAllocationPool",
        ),
    ],
)
async def test_impossible_subnets_are_refused(values: dict[str, object], kind: str) -> None:
    async with a_network_service() as door, ann(door) as http:
        network = await made(http, "network")
        answer = await http.post("/subnets", json={"subnet": {"network_id": network["id"], **values}})
        assert error(answer)[:2] == (400, kind)


async def test_a_servers_ports_are_its_own_and_compute_lets_go_of_lent_ones() -> None:
    async with a_network_service() as door, ann(door) as http:
        network = await made(http, "network", name="net")
        await a_subnet(http, network["id"])
        lent = await made(http, "port", network_id=network["id"], name="lent")

        def boot(tx: Transaction) -> tuple[list[Port], dict[str, Any]]:
            context = a_member("red")
            ports.adopt(tx, context, lent["id"], "s1")
            ports.create_for_server(tx, context, network["id"], "s1", security_groups=["default"])
            return ports.of_server(tx, "s1"), ports.addresses_of(tx, ["s1", "s2"])

        held, addresses = await door.database.write(boot)
        assert held[0].id == lent["id"]
        assert [a.address for a in addresses["s1"]["net"]] == ["10.0.0.3", "10.0.0.4"]
        refused = await http.delete(f"/ports/{held[1].id}")
        assert refused.status_code == 403
        await door.database.write(lambda tx: ports.release_of_server(tx, "s1"))
        left = (await http.get("/ports?device_owner=")).json()["ports"]
        assert [(p["id"], p["device_id"]) for p in left] == [(lent["id"], "")]


async def test_a_mac_that_is_set_to_null_is_made_anew() -> None:
    async with a_network_service() as door, root(door) as http:
        network = await made(http, "network")
        port = await made(http, "port", network_id=network["id"], mac_address=None)
        assert port["mac_address"].startswith("fa:16:3e:")
        changed = await http.put(f"/ports/{port['id']}", json={"port": {"mac_address": None}})
        assert changed.status_code == 200, changed.text
        fresh = changed.json()["port"]["mac_address"]
        assert fresh.startswith("fa:16:3e:")
        assert fresh != port["mac_address"]
        assert (await http.get(f"/ports/{port['id']}")).json()["port"]["mac_address"] == fresh
        await http.put(f"/ports/{port['id']}", json={"port": {"binding:host_id": "host-1"}})
        bound = await http.put(f"/ports/{port['id']}", json={"port": {"mac_address": None}})
        assert error(bound)[:2] == (409, "PortBound")
