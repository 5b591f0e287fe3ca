"""/networks at the door."""

from contextlib import AsyncExitStack

import pytest

from tests.support.clouds import a_cloud
from tests.support.network import a_network_service, a_subnet, ann, bob, error, made, root

pytestmark = pytest.mark.anyio

KEYS = {
    "ipv4_address_scope",
    "ipv6_address_scope",
    "qos_policy_id",
    "dns_domain",
    "l2_adjacency",
    "id",
    "name",
    "tenant_id",
    "project_id",
    "admin_state_up",
    "mtu",
    "status",
    "subnets",
    "shared",
    "availability_zone_hints",
    "availability_zones",
    "router:external",
    "description",
    "port_security_enabled",
    "tags",
    "created_at",
    "updated_at",
    "revision_number",
}


async def test_a_network_is_made_changed_and_deleted() -> None:
    async with a_network_service() as door, ann(door) as http:
        network = await made(http, "network", name="one", admin_state_up="false")
        assert set(network) == KEYS
        assert (network["project_id"], network["tenant_id"], network["admin_state_up"]) == ("red", "red", False)
        assert (network["status"], network["mtu"], network["revision_number"]) == ("ACTIVE", 1450, 1)
        path = f"/networks/{network['id']}"
        changed = (await http.put(path, json={"network": {"name": "two", "mtu": 1300}})).json()["network"]
        assert (changed["name"], changed["mtu"], changed["revision_number"]) == ("two", 1300, 2)
        assert (await http.get(path)).json() == {"network": changed}
        gone = await http.delete(path)
        assert (gone.status_code, gone.content) == (204, b"")
        assert error(await http.get(path)) == (
            404,
            "NetworkNotFound",
            f"Network {network['id']} could not be found.",
        )


async def test_others_see_only_what_is_shared_or_external() -> None:
    async with a_network_service() as door, ann(door) as red, bob(door) as blue, root(door) as admin:
        mine = await made(red, "network", name="mine")
        shared = await made(admin, "network", name="shared", shared=True)
        outside = await made(admin, "network", name="outside", **{"router:external": True})
        assert {n["name"] for n in (await blue.get("/networks")).json()["networks"]} == {"shared", "outside"}
        assert (await blue.get(f"/networks/{mine['id']}")).status_code == 404
        assert (await blue.delete(f"/networks/{mine['id']}")).status_code == 404
        refused = await blue.delete(f"/networks/{shared['id']}")
        assert error(refused) == (403, "PolicyNotAuthorized", "rule:delete_network is disallowed by policy")
        seen = (await admin.get(f"/networks/{outside['id']}")).json()["network"]
        assert set(seen) == KEYS | {
            "is_default",
            "provider:network_type",
            "provider:physical_network",
            "provider:segmentation_id",
        }
        assert seen["provider:network_type"] == "vxlan"


async def test_attributes_of_administrators_are_refused_by_name() -> None:
    async with a_network_service() as door, ann(door) as http:
        refused = await http.post("/networks", json={"network": {"shared": True, "router:external": True}})
        assert error(refused) == (
            403,
            "PolicyNotAuthorized",
            "(rule:create_network and rule:create_network:router:external and rule:create_network:shared) is disallowed by "
            "policy",
        )
        # Naming the default asks for nothing.
        await made(http, "network", shared=False)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"", "Malformed request body: Cannot understand JSON."),
        (b"{}", "Resource body required"),
        (b'{"net": {}}', "Unable to find 'network' in request body"),
        (b'{"network": []}', "Object 'network' contains invalid data"),
        (b'{"networks": []}', "Resources required"),
        (b'{"network": {"colour": 1}}', "Unrecognized attribute(s) 'colour'"),
        (b'{"network": {"id": "x"}}', "Attribute 'id' not allowed in POST"),
        (b'{"network": {"name": 5}}', "Invalid input for name. Reason: '5' is not a valid string."),
        (
            b'{"network": {"admin_state_up": "perhaps"}}',
            "Invalid input for operation: 'perhaps' cannot be converted to boolean.",
        ),
        (
            b'{"network": {"project_id": "blue"}}',
            "Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires admin privileges",
        ),
        (b'{"network": {"project_id": "red", "tenant_id": "x"}}', "'project_id' and 'tenant_id' do not match"),
        (b'{"network": {"mtu": 20000}}', "Invalid input for operation: Requested MTU is too big, maximum is 9000."),
    ],
)
async def test_what_makes_no_sense_is_refused(document: bytes, message: str) -> None:
    async with a_network_service() as door, ann(door) as http:
        answer = await http.post("/networks", content=document)
        assert (answer.status_code, error(answer)[2]) == (400, message)


async def test_several_are_made_at_once_or_not_at_all() -> None:
    async with a_network_service() as door, ann(door) as http:
        answer = await http.post("/networks", json={"networks": [{"name": "a"}, {"name": "b"}]})
        assert answer.status_code == 201
        assert [n["name"] for n in answer.json()["networks"]] == ["a", "b"]
        many = [{"name": f"n{i}"} for i in range(99)]
        assert error(await http.post("/networks", json={"networks": many})) == (
            409,
            "OverQuota",
            "Quota exceeded for resources: ['network'].",
        )
        assert len((await http.get("/networks")).json()["networks"]) == 2


async def test_lists_are_filtered_sorted_and_paged_both_ways() -> None:
    async with a_network_service() as door, ann(door) as http:
        for name in ("c", "a", "b", "d"):
            await made(http, "network", name=name, admin_state_up=name != "d")

        async def names(query: str) -> list[str]:
            return [n["name"] for n in (await http.get(f"/networks?{query}")).json()["networks"]]

        assert await names("sort_key=name&sort_dir=desc") == ["d", "c", "b", "a"]
        assert await names("name=a&name=c&sort_key=name&sort_dir=asc") == ["a", "c"]
        assert await names("admin_state_up=False") == ["d"]
        assert (await http.get("/networks?name=a&fields=name&fields=mtu")).json() == {
            "networks": [{"name": "a", "mtu": 1450}]
        }
        seen, url = [], "/networks?limit=3&sort_key=name&sort_dir=asc"
        pages = []
        while url:
            page = (await http.get(url)).json()
            pages.append(page)
            seen += [n["name"] for n in page["networks"]]
            links = {link["rel"]: link["href"] for link in page["networks_links"]}
            url = links.get("next", "").partition("/v2.0")[2]
        assert seen == ["a", "b", "c", "d"]
        back = {link["rel"]: link["href"] for link in pages[1]["networks_links"]}["previous"].partition("/v2.0")[2]
        assert [n["name"] for n in (await http.get(back)).json()["networks"]] == ["a", "b", "c"]
        assert "networks_links" not in (await http.get("/networks")).json()
        refused = await http.get("/networks?colour=red")
        assert error(refused) == (400, "HTTPBadRequest", "['colour'] is invalid attribute for filtering")
        assert (await http.get("/networks?sort_key=colour&sort_dir=asc")).status_code == 400
        assert (await http.get("/networks?limit=-1")).status_code == 400


async def test_if_match_guards_a_revision() -> None:
    async with a_network_service() as door, ann(door) as http:
        network = await made(http, "network")
        path = f"/networks/{network['id']}"
        stale = await http.put(path, json={"network": {"name": "x"}}, headers={"If-Match": "revision_number=7"})
        assert error(stale)[:2] == (412, "RevisionNumberConstraintFailed")
        await a_subnet(http, network["id"])
        assert (await http.get(path)).json()["network"]["revision_number"] == 2
        assert (await http.delete(path, headers={"If-Match": "revision_number=2"})).status_code == 204


async def test_a_network_with_ports_stays_and_one_with_dhcp_goes() -> None:
    async with a_network_service() as door, ann(door) as http:
        network = await made(http, "network")
        await a_subnet(http, network["id"])
        port = await made(http, "port", network_id=network["id"])
        refused = await http.delete(f"/networks/{network['id']}")
        assert error(refused) == (
            409,
            "NetworkInUse",
            f"Unable to complete operation on network {network['id']}. There are one or more ports still in use on the "
            f"network, id for these ports is: {port['id']}.",
        )
        assert (await http.delete(f"/ports/{port['id']}")).status_code == 204
        assert (await http.delete(f"/networks/{network['id']}")).status_code == 204
        assert (await http.get("/ports")).json() == {"ports": []}
        assert (await http.get("/subnets")).json() == {"subnets": []}


async def test_tags_are_set_looked_for_and_taken_away() -> None:
    async with a_network_service() as door, ann(door) as http:
        one, two = [await made(http, "network", name=name) for name in ("one", "two")]
        path = f"/networks/{one['id']}/tags"
        assert (await http.put(path, json={"tags": ["red", "blue"]})).json() == {"tags": ["blue", "red"]}
        assert (await http.put(f"{path}/green")).status_code == 201
        assert (await http.put(f"/networks/{two['id']}/tags/red")).status_code == 201
        assert (await http.get(path)).json() == {"tags": ["blue", "green", "red"]}

        async def names(query: str) -> list[str]:
            return sorted(n["name"] for n in (await http.get(f"/networks?{query}")).json()["networks"])

        assert await names("tags=red,blue") == ["one"]
        assert await names("tags-any=blue,red") == ["one", "two"]
        assert await names("not-tags=red,blue") == ["two"]
        assert await names("not-tags-any=blue") == ["two"]
        assert (await http.delete(f"{path}/blue")).status_code == 204
        assert error(await http.delete(f"{path}/blue"))[:2] == (404, "TagNotFound")
        assert (await http.delete(path)).status_code == 204
        assert (await http.get(f"/networks/{one['id']}")).json()["network"]["tags"] == []


async def test_a_floating_address_that_leads_nowhere_goes_with_its_network() -> None:
    async with a_network_service() as door, root(door) as admin:
        outside = await made(admin, "network", **{"router:external": True})
        await a_subnet(admin, outside["id"], "203.0.113.0/24", enable_dhcp=False)
        await made(admin, "floatingip", floating_network_id=outside["id"])
        assert (await admin.delete(f"/networks/{outside['id']}")).status_code == 204
        assert (await admin.get("/floatingips")).json() == {"floatingips": []}


async def test_agents_are_an_administrators_to_see() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2)
        assert (await cloud.demo.get("/network/v2.0/agents")).json() == {"agents": []}
        agents = (await cloud.admin.get("/network/v2.0/agents")).json()["agents"]
        assert len(agents) == 8
        assert all(agent["alive"] for agent in agents)
        shown = await cloud.admin.get(f"/network/v2.0/agents/{agents[0]['id']}")
        assert shown.json() == {"agent": agents[0]}
        dhcp = await cloud.admin.get("/network/v2.0/agents?agent_type=DHCP%20agent&fields=host")
        assert dhcp.json() == {"agents": [{"host": agent["host"]} for agent in agents[::4]]}
        assert (await cloud.demo.get(f"/network/v2.0/agents/{agents[0]['id']}")).status_code == 404
