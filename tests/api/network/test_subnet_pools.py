"""/subnetpools at the door, and subnets that come out of them."""

from typing import Any

import pytest

from tests.support.network import a_network_service, ann, bob, error, made, root

pytestmark = pytest.mark.anyio


async def a_subnet_of(http: Any, network: dict[str, Any], **values: Any) -> Any:
    return await http.post("/subnets", json={"subnet": {"network_id": network["id"], **values}})


async def test_a_pool_through_its_life() -> None:
    async with a_network_service() as door, ann(door) as http, bob(door) as stranger:
        pool = await made(http, "subnetpool", name="p", prefixes=["10.8.1.0/24", "10.8.0.0/24"], default_prefixlen=26)
        path = f"/subnetpools/{pool['id']}"
        assert pool == {
            "id": pool["id"],
            "name": "p",
            "description": "",
            "tenant_id": "red",
            "project_id": "red",
            "prefixes": ["10.8.0.0/23"],
            "ip_version": 4,
            "default_prefixlen": "26",
            "min_prefixlen": "8",
            "max_prefixlen": "32",
            "default_quota": None,
            "address_scope_id": None,
            "is_default": False,
            "shared": False,
            "tags": [],
            "created_at": pool["created_at"],
            "updated_at": pool["updated_at"],
            "revision_number": 1,
        }
        assert (await http.get(path)).json()["subnetpool"] == pool
        assert [p["id"] for p in (await http.get("/subnetpools?name=p")).json()["subnetpools"]] == [pool["id"]]
        assert (await stranger.get("/subnetpools")).json() == {"subnetpools": []}
        assert error(await stranger.get(path))[:2] == (404, "SubnetPoolNotFound")
        changed = await http.put(path, json={"subnetpool": {"name": "q", "prefixes": ["10.8.0.0/22"]}})
        assert changed.json()["subnetpool"]["prefixes"] == ["10.8.0.0/22"]
        shrunk = await http.put(path, json={"subnetpool": {"prefixes": ["10.8.0.0/24"]}})
        assert error(shrunk) == (
            400,
            "IllegalSubnetPoolPrefixUpdate",
            "Illegal update to prefixes: Existing prefixes must be a subset of the new prefixes.",
        )
        grown = await http.put(f"{path}/add_prefixes", json={"prefixes": ["10.9.0.0/24"]})
        assert grown.json() == {"prefixes": ["10.8.0.0/22", "10.9.0.0/24"]}
        less = await http.put(f"{path}/remove_prefixes", json={"prefixes": ["10.8.0.0/23"]})
        assert less.json() == {"prefixes": ["10.8.2.0/23", "10.9.0.0/24"]}
        assert (await http.put(f"{path}/tags/blue")).status_code == 201
        assert (await http.get("/subnetpools?tags=blue")).json()["subnetpools"][0]["tags"] == ["blue"]
        assert (await http.delete(path)).status_code == 204
        assert (await http.get(path)).status_code == 404


async def test_subnets_come_out_of_a_pool_and_never_twice() -> None:
    async with a_network_service() as door, ann(door) as http:
        pool = await made(
            http, "subnetpool", name="p", prefixes=["10.8.0.0/24"], default_prefixlen=26, min_prefixlen=24
        )
        cidrs = []
        networks = [await made(http, "network") for _ in range(5)]
        for network in networks[:3]:
            given = await a_subnet_of(http, network, subnetpool_id=pool["id"], ip_version=4)
            assert given.status_code == 201, given.text
            assert given.json()["subnet"]["subnetpool_id"] == pool["id"]
            cidrs.append(given.json()["subnet"]["cidr"])
        assert cidrs == ["10.8.0.0/26", "10.8.0.64/26", "10.8.0.128/26"]
        assert given.json()["subnet"]["gateway_ip"] == "10.8.0.129"
        taken = await a_subnet_of(http, networks[3], subnetpool_id=pool["id"], cidr="10.8.0.64/27", ip_version=4)
        assert error(taken) == (
            409,
            "SubnetAllocationError",
            "Failed to allocate subnet: Cannot allocate requested subnet from the available set of prefixes.",
        )
        exact = await a_subnet_of(http, networks[3], subnetpool_id=pool["id"], cidr="10.8.0.224/27", ip_version=4)
        assert exact.json()["subnet"]["cidr"] == "10.8.0.224/27"
        none = await a_subnet_of(http, networks[4], subnetpool_id=pool["id"], ip_version=4)
        assert error(none)[2] == "Failed to allocate subnet: Insufficient prefix space to allocate subnet size /26."
        last = await a_subnet_of(http, networks[4], subnetpool_id=pool["id"], prefixlen=27)
        assert last.json()["subnet"]["cidr"] == "10.8.0.192/27"
        assert error(await http.delete(f"/subnetpools/{pool['id']}")) == (
            400,
            "SubnetPoolDeleteError",
            "Unable to delete subnet pool: Subnet pool has existing allocations.",
        )
        held = await http.put(f"/subnetpools/{pool['id']}/remove_prefixes", json={"prefixes": ["10.8.0.0/26"]})
        assert error(held)[1] == "IllegalSubnetPoolPrefixUpdate"
        assert (await http.delete(f"/subnets/{last.json()['subnet']['id']}")).status_code == 204
        again = await a_subnet_of(http, networks[4], subnetpool_id=pool["id"], prefixlen=27)
        assert again.json()["subnet"]["cidr"] == "10.8.0.192/27"


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"prefixlen": 33}, "MaxPrefixSubnetAllocationError"),
        ({"prefixlen": 20}, "MinPrefixSubnetAllocationError"),
        ({"prefixlen": 26, "cidr": "10.8.0.0/26"}, "BadRequest"),
        ({"ip_version": 6}, "BadRequest"),
        ({"cidr": "fd00::/64"}, "BadRequest"),
        ({"allocation_pools": [{"start": "10.8.0.4", "end": "10.8.0.9"}]}, "BadRequest"),
        ({"use_default_subnetpool": True}, "BadRequest"),
        ({"prefixlen": "x"}, "InvalidInput"),
    ],
)
async def test_what_a_pool_does_not_give(values: dict[str, Any], kind: str) -> None:
    async with a_network_service() as door, ann(door) as http:
        pool = await made(http, "subnetpool", name="p", prefixes=["10.8.0.0/16"], min_prefixlen=24, max_prefixlen=30)
        network = await made(http, "network")
        refused = await a_subnet_of(http, network, subnetpool_id=pool["id"], **values)
        assert refused.status_code == 400, refused.text
        assert error(refused)[1] == kind


async def test_a_network_keeps_to_one_pool_and_a_project_to_its_share() -> None:
    async with a_network_service() as door, ann(door) as http:
        one = await made(http, "subnetpool", name="one", prefixes=["10.8.0.0/16"], default_quota=256)
        two = await made(http, "subnetpool", name="two", prefixes=["10.9.0.0/16"])
        network = await made(http, "network")
        assert (await a_subnet_of(http, network, subnetpool_id=one["id"], prefixlen=25)).status_code == 201
        mixed = await a_subnet_of(http, network, subnetpool_id=two["id"], prefixlen=25)
        assert error(mixed)[:2] == (400, "NetworkSubnetPoolAffinityError")
        greedy = await a_subnet_of(http, network, subnetpool_id=one["id"], prefixlen=24)
        assert error(greedy) == (409, "SubnetPoolQuotaExceeded", "Per-project subnet pool prefix quota exceeded.")
        assert (await a_subnet_of(http, network, subnetpool_id=one["id"], prefixlen=25)).status_code == 201


async def test_the_default_pool_is_one_and_shared_pools_are_for_all() -> None:
    async with a_network_service() as door, root(door) as admin, ann(door) as http:
        for ruled in ({"is_default": True}, {"shared": True}):
            refused = await http.post(
                "/subnetpools", json={"subnetpool": {"name": "p", "prefixes": ["10.8.0.0/16"], **ruled}}
            )
            assert refused.status_code == 403
        pool = await made(
            admin, "subnetpool", name="p", prefixes=["10.8.0.0/16"], is_default=True, shared=True, default_prefixlen=24
        )
        second = await admin.post(
            "/subnetpools", json={"subnetpool": {"name": "q", "prefixes": ["10.9.0.0/16"], "is_default": True}}
        )
        assert error(second)[:2] == (400, "InvalidInput")
        assert (await http.get(f"/subnetpools/{pool['id']}")).status_code == 200
        assert (await http.delete(f"/subnetpools/{pool['id']}")).status_code == 403
        network = await made(http, "network")
        given = await a_subnet_of(http, network, use_default_subnetpool=True, ip_version=4)
        assert given.json()["subnet"]["cidr"] == "10.8.0.0/24"
        none = await a_subnet_of(http, network, use_default_subnetpool=True, ip_version=6)
        assert error(none) == (400, "BadRequest", "Bad subnets request: No default subnetpool found for IPv6.")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"prefixes": []}, "EmptySubnetPoolPrefixList"),
        ({"prefixes": ["10.0.0.0/8", "fd00::/8"]}, "PrefixVersionMismatch"),
        ({"min_prefixlen": 28, "max_prefixlen": 24}, "IllegalSubnetPoolPrefixBounds"),
        ({"max_prefixlen": 33}, "IllegalSubnetPoolPrefixBounds"),
        ({"default_prefixlen": 4}, "IllegalSubnetPoolPrefixBounds"),
        ({"name": " "}, "HTTPBadRequest"),
        ({"prefixes": ["10.0.0.0/8", "10.0.0.0/8"]}, "HTTPBadRequest"),
    ],
)
async def test_pools_that_make_no_sense(values: dict[str, Any], kind: str) -> None:
    async with a_network_service() as door, ann(door) as http:
        refused = await http.post(
            "/subnetpools", json={"subnetpool": {"name": "p", "prefixes": ["10.8.0.0/16"]} | values}
        )
        assert error(refused)[:2] == (400, kind)
