"""Address scopes: pools in one do not overlap, and a network lies in one scope for each IP version."""

import pytest

from tests.support.network import a_network_service, ann, error, made, root

pytestmark = pytest.mark.anyio


async def test_a_scope_with_pools_and_networks() -> None:
    async with a_network_service() as door, ann(door) as http:
        scope = await made(http, "address_scope", name="s", ip_version=4)
        assert scope == {
            "id": scope["id"],
            "name": "s",
            "tenant_id": "red",
            "project_id": "red",
            "ip_version": 4,
            "shared": False,
        }
        values = {"name": "p", "prefixes": ["10.0.0.0/16"], "address_scope_id": scope["id"]}
        pool = await made(http, "subnetpool", **values)
        assert pool["address_scope_id"] == scope["id"]
        overlapping = await http.post("/subnetpools", json={"subnetpool": values | {"prefixes": ["10.0.1.0/24"]}})
        assert error(overlapping)[:2] == (409, "AddressScopePrefixConflict")
        other = await http.post("/subnetpools", json={"subnetpool": values | {"prefixes": ["2001:db8::/48"]}})
        assert error(other)[:2] == (400, "IllegalSubnetPoolIpVersionAssociationToAddressScope")
        network = await made(http, "network")
        await made(http, "subnet", network_id=network["id"], subnetpool_id=pool["id"], ip_version=4, prefixlen=24)
        seen = (await http.get(f"/networks/{network['id']}")).json()["network"]
        assert (seen["ipv4_address_scope"], seen["ipv6_address_scope"]) == (scope["id"], None)
        used = await http.delete(f"/address-scopes/{scope['id']}")
        assert error(used)[:2] == (409, "AddressScopeInUse")
        gone = await http.put(f"/subnetpools/{pool['id']}", json={"subnetpool": {"address_scope_id": None}})
        assert gone.json()["subnetpool"]["address_scope_id"] is None
        assert (await http.delete(f"/address-scopes/{scope['id']}")).status_code == 204


async def test_a_shared_scope_stays_shared() -> None:
    async with a_network_service() as door, root(door) as admin, ann(door) as http:
        scope = await made(admin, "address_scope", name="s", ip_version=6, shared=True)
        assert (await http.get(f"/address-scopes/{scope['id']}")).json()["address_scope"]["shared"] is True
        refused = await admin.put(f"/address-scopes/{scope['id']}", json={"address_scope": {"shared": False}})
        assert error(refused) == (
            400,
            "AddressScopeUpdateError",
            f"Unable to update address scope {scope['id']} : Shared address scope can't be unshared.",
        )
        asked = await http.post("/address-scopes", json={"address_scope": {"ip_version": 4, "shared": True}})
        assert asked.status_code == 403
        for wrong in (5, "x", None):
            assert (
                await http.post("/address-scopes", json={"address_scope": {"ip_version": wrong}})
            ).status_code == 400


async def test_the_subnets_of_a_network_are_taken_into_a_pool() -> None:
    async with a_network_service() as door, ann(door) as http:
        pool = await made(http, "subnetpool", name="p", prefixes=["10.1.0.0/16"])
        network = await made(http, "network")
        subnet = await made(http, "subnet", network_id=network["id"], cidr="192.168.7.0/24", ip_version=4)
        path = f"/subnetpools/{pool['id']}/onboard_network_subnets"
        taken = await http.put(path, json={"network_id": network["id"]})
        assert taken.json() == [{"id": subnet["id"], "cidr": "192.168.7.0/24"}]
        assert (await http.get(f"/subnets/{subnet['id']}")).json()["subnet"]["subnetpool_id"] == pool["id"]
        grown = (await http.get(f"/subnetpools/{pool['id']}")).json()["subnetpool"]["prefixes"]
        assert grown == ["10.1.0.0/16", "192.168.7.0/24"]
        assert (await http.put(path, json={})).status_code == 400
