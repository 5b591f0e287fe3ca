"""/routers, /floatingips, /security-group-rules, /quotas and what the service says of itself, at the door."""

from typing import Any

import pytest

from tests.support.network import a_network_service, a_subnet, a_way_out, ann, bob, error, made, root

pytestmark = pytest.mark.anyio


async def test_a_router_joins_a_subnet_to_the_outside_and_parts_again() -> None:
    async with a_network_service() as door, ann(door) as http:
        inside, outside, router = await a_way_out(door)
        gateway = (await http.get(f"/routers/{router['id']}")).json()["router"]["external_gateway_info"]
        assert gateway["network_id"] == outside["id"]
        assert gateway["enable_snat"] is True
        assert [f["ip_address"] for f in gateway["external_fixed_ips"]] == ["203.0.113.2"]
        [port] = (await http.get(f"/ports?device_id={router['id']}")).json()["ports"]
        assert (port["device_owner"], port["fixed_ips"][0]["ip_address"]) == ("network:router_interface", "10.0.0.1")
        subnet_id = port["fixed_ips"][0]["subnet_id"]
        twice = await http.put(f"/routers/{router['id']}/add_router_interface", json={"subnet_id": subnet_id})
        assert error(twice) == (
            400,
            "BadRequest",
            f"Bad router request: Router already has a port on subnet {subnet_id}.",
        )
        assert error(await http.delete(f"/routers/{router['id']}")) == (
            409,
            "RouterInUse",
            f"Router {router['id']} still has ports",
        )
        parted = await http.put(f"/routers/{router['id']}/remove_router_interface", json={"subnet_id": subnet_id})
        assert parted.json() == {
            "id": router["id"],
            "tenant_id": "red",
            "project_id": "red",
            "port_id": port["id"],
            "network_id": inside["id"],
            "subnet_id": subnet_id,
            "subnet_ids": [subnet_id],
        }
        assert (await http.delete(f"/routers/{router['id']}")).status_code == 204


async def test_a_port_of_a_router_is_not_deleted_as_a_port() -> None:
    async with a_network_service() as door, ann(door) as http:
        _, _, router = await a_way_out(door)
        [port] = (await http.get(f"/ports?device_id={router['id']}")).json()["ports"]
        assert error(await http.delete(f"/ports/{port['id']}")) == (
            409,
            "ServicePortInUse",
            f"Port {port['id']} cannot be deleted directly via the port API: has device owner network:router_interface.",
        )


async def test_a_floating_address_is_led_to_a_port_and_elsewhere() -> None:
    async with a_network_service() as door, ann(door) as http:
        inside, outside, router = await a_way_out(door)
        port = await made(http, "port", network_id=inside["id"], name="web")
        floating = await made(http, "floatingip", floating_network_id=outside["id"], port_id=port["id"])
        assert (floating["status"], floating["router_id"]) == ("ACTIVE", router["id"])
        assert floating["fixed_ip_address"] == port["fixed_ips"][0]["ip_address"]
        assert floating["port_details"]["name"] == "web"
        taken = await http.post(
            "/floatingips", json={"floatingip": {"floating_network_id": outside["id"], "port_id": port["id"]}}
        )
        assert error(taken)[:2] == (409, "FloatingIPPortAlreadyAssociated")
        assert len((await http.get("/floatingips")).json()["floatingips"]) == 1, "a refused one leaves nothing"
        needed = await http.put(f"/routers/{router['id']}", json={"router": {"external_gateway_info": None}})
        assert error(needed)[:2] == (409, "RouterExternalGatewayInUseByFloatingIp")
        path = f"/floatingips/{floating['id']}"
        loose = (await http.put(path, json={"floatingip": {"port_id": None}})).json()["floatingip"]
        assert (loose["status"], loose["port_id"], loose["router_id"], loose["port_details"]) == (
            "DOWN",
            None,
            None,
            None,
        )
        await http.put(path, json={"floatingip": {"port_id": port["id"]}})
        await http.delete(f"/ports/{port['id']}")
        after = (await http.get(path)).json()["floatingip"]
        assert (after["status"], after["port_id"]) == ("DOWN", None)
        assert (await http.delete(path)).status_code == 204


async def test_a_floating_address_may_lead_to_the_router_itself_but_not_to_dhcp() -> None:
    async with a_network_service() as door, ann(door) as http, root(door) as admin:
        _, outside, router = await a_way_out(door)
        another = await made(http, "network")
        await a_subnet(http, another["id"], "10.6.0.0/24")
        port = await made(http, "port", network_id=another["id"])
        added = await http.put(f"/routers/{router['id']}/add_router_interface", json={"port_id": port["id"]})
        assert added.status_code == 200
        floating = await made(http, "floatingip", floating_network_id=outside["id"], port_id=port["id"])
        assert (floating["port_id"], floating["router_id"]) == (port["id"], router["id"])
        dhcp = (await admin.get("/ports", params={"device_owner": "network:dhcp"})).json()["ports"][0]
        wish = {"floating_network_id": outside["id"], "port_id": dhcp["id"]}
        refused = await admin.post("/floatingips", json={"floatingip": wish})
        assert error(refused)[:2] == (400, "BadRequest")


async def test_a_floating_address_needs_a_way() -> None:
    async with a_network_service() as door, ann(door) as http, bob(door) as blue:
        _, outside, _ = await a_way_out(door)
        lonely = await made(http, "network")
        await a_subnet(http, lonely["id"], "10.5.0.0/24")
        port = await made(http, "port", network_id=lonely["id"])
        refused = await http.post(
            "/floatingips", json={"floatingip": {"floating_network_id": outside["id"], "port_id": port["id"]}}
        )
        assert error(refused)[:2] == (404, "ExternalGatewayForFloatingIPNotFound")
        inner = await http.post("/floatingips", json={"floatingip": {"floating_network_id": lonely["id"]}})
        assert error(inner)[:2] == (400, "BadRequest")
        mine = await made(http, "floatingip", floating_network_id=outside["id"])
        assert (await blue.get(f"/floatingips/{mine['id']}")).status_code == 404


async def test_only_administrators_turn_snat_off() -> None:
    async with a_network_service() as door, ann(door) as http, root(door) as admin:
        _, outside, router = await a_way_out(door)
        wish = {"router": {"external_gateway_info": {"network_id": outside["id"], "enable_snat": False}}}
        refused = await http.put(f"/routers/{router['id']}", json=wish)
        assert "update_router:external_gateway_info:enable_snat" in error(refused)[2]
        changed = (await admin.put(f"/routers/{router['id']}", json=wish)).json()["router"]
        assert changed["external_gateway_info"]["enable_snat"] is False


async def test_extra_routes_lead_to_neighbours() -> None:
    async with a_network_service() as door, ann(door) as http:
        _, _, router = await a_way_out(door)
        path = f"/routers/{router['id']}"
        route = {"destination": "10.77.0.0/24", "nexthop": "10.0.0.9"}
        assert (await http.put(path, json={"router": {"routes": [route]}})).json()["router"]["routes"] == [route]
        far = {"destination": "10.77.0.0/24", "nexthop": "10.200.0.9"}
        assert error(await http.put(path, json={"router": {"routes": [far]}}))[:2] == (400, "InvalidRoutes")


async def test_a_project_has_a_default_group_and_makes_others() -> None:
    async with a_network_service() as door, ann(door) as http, root(door) as admin:
        [default] = (await http.get("/security-groups")).json()["security_groups"]
        rules = [(r["direction"], r["ethertype"], r["remote_group_id"]) for r in default["security_group_rules"]]
        assert sorted(rules, key=str) == sorted(
            [
                ("egress", "IPv4", None),
                ("egress", "IPv6", None),
                ("ingress", "IPv4", default["id"]),
                ("ingress", "IPv6", default["id"]),
            ],
            key=str,
        )
        assert all(r["belongs_to_default_sg"] for r in default["security_group_rules"])
        again = await http.post("/security-groups", json={"security_group": {"name": "Default"}})
        assert error(again) == (409, "SecurityGroupDefaultAlreadyExists", "Default security group already exists.")
        kept = await http.delete(f"/security-groups/{default['id']}")
        assert error(kept)[:2] == (409, "SecurityGroupCannotRemoveDefault")
        web = await made(http, "security_group", name="web", description="d")
        assert [r["direction"] for r in web["security_group_rules"]] == ["egress", "egress"]
        assert (await admin.delete(f"/security-groups/{default['id']}")).status_code == 204


@pytest.mark.parametrize(
    ("values", "status", "kind"),
    [
        ({"protocol": "tcp", "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "10.0.0.1/8"}, 201, ""),
        ({"protocol": "ICMP", "port_range_min": 8, "port_range_max": 0}, 201, ""),
        ({"protocol": 112}, 201, ""),
        ({"protocol": "tcp", "port_range_min": 30, "port_range_max": 22}, 400, "SecurityGroupInvalidPortRange"),
        ({"port_range_min": 22, "port_range_max": 22}, 400, "SecurityGroupProtocolRequiredWithPorts"),
        ({"protocol": "gre", "port_range_min": 22}, 400, "SecurityGroupInvalidProtocolForPort"),
        ({"protocol": "icmp", "port_range_min": 300}, 400, "SecurityGroupInvalidIcmpValue"),
        ({"protocol": "icmp", "port_range_max": 3}, 400, "SecurityGroupMissingIcmpType"),
        ({"protocol": "quic"}, 400, "SecurityGroupRuleInvalidProtocol"),
        ({"protocol": "tcp", "port_range_min": 70000}, 400, "SecurityGroupInvalidPortValue"),
        ({"ethertype": "IPv5"}, 400, "SecurityGroupRuleInvalidEtherType"),
        ({"remote_ip_prefix": "fd00::/64"}, 400, "SecurityGroupRuleParameterConflict"),
        ({"remote_ip_prefix": "ten"}, 400, "InvalidCIDR"),
        ({"remote_group_id": "11111111-1111-1111-1111-111111111111"}, 404, "SecurityGroupNotFound"),
        ({"direction": "sideways"}, 400, "HTTPBadRequest"),
        ({"direction": "egress"}, 409, "SecurityGroupRuleExists"),
    ],
)
async def test_rules(values: dict[str, object], status: int, kind: str) -> None:
    async with a_network_service() as door, ann(door) as http, bob(door) as blue:
        group = await made(http, "security_group", name="web")
        body = {"security_group_rule": {"direction": "ingress", "security_group_id": group["id"], **values}}
        answer = await http.post("/security-group-rules", json=body)
        assert answer.status_code == status, answer.text
        if status != 201:
            assert error(answer)[1] == kind
            return
        rule = answer.json()["security_group_rule"]
        assert error(await http.post("/security-group-rules", json=body))[:2] == (409, "SecurityGroupRuleExists")
        assert (await blue.get(f"/security-group-rules/{rule['id']}")).status_code == 404
        shown = (await http.get(f"/security-groups/{group['id']}")).json()["security_group"]
        assert rule in shown["security_group_rules"]
        assert shown["revision_number"] == 2
        assert (await http.delete(f"/security-group-rules/{rule['id']}")).status_code == 204


async def test_quotas_bind_and_are_told() -> None:
    async with a_network_service() as door, ann(door) as http, root(door) as admin:
        mine = (await http.get("/quotas/red")).json()["quota"]
        assert mine["network"] == 100
        assert (await http.get("/quotas/blue")).status_code == 403
        assert (await http.put("/quotas/red", json={"quota": {"network": 1}})).status_code == 403
        changed = await admin.put("/quotas/red", json={"quota": {"network": "1"}})
        assert changed.json()["quota"] == {**mine, "network": 1}
        await made(http, "network")
        assert (await http.post("/networks", json={"network": {}})).status_code == 409
        details = (await http.get("/quotas/red/details")).json()["quota"]["network"]
        assert details == {"limit": 1, "used": 1, "reserved": 0}
        low = await admin.put("/quotas/red", json={"quota": {"network": 0}})
        assert error(low)[2] == "Quota limit 0 for network must be greater than or equal to already used 1"
        assert (await http.get("/quotas/red/default")).json()["quota"]["network"] == 100
        assert (await admin.delete("/quotas/red")).status_code == 204
        assert error(await admin.delete("/quotas/red"))[:2] == (404, "ProjectQuotaNotFound")


async def test_the_service_tells_what_it_is() -> None:
    async with a_network_service() as door, ann(door) as http, door.stranger("/network") as stranger:
        [version] = (await stranger.get("/")).json()["versions"]
        assert (version["id"], version["links"][0]["href"]) == ("v2.0", "http://cloud.test/network/v2.0/")
        aliases = [e["alias"] for e in (await http.get("/extensions")).json()["extensions"]]
        assert {"router", "security-group", "standard-attr-tag"} <= set(aliases)
        assert (await http.get("/extensions/router")).json()["extension"]["alias"] == "router"
        assert (await http.get("/extensions/vpnaas")).status_code == 404
        assert (await http.get("/vpn/vpnservices")).status_code == 404
        assert (await stranger.get("/v2.0/networks")).status_code == 401
        zones = (await http.get("/availability_zones?resource=router")).json()["availability_zones"]
        assert zones == [{"name": "nova", "resource": "router", "state": "available"}]


async def test_extra_routes_are_added_and_removed_one_by_one() -> None:
    async with a_network_service() as door, ann(door) as http, bob(door) as stranger:
        _, _, router = await a_way_out(door)
        path = f"/routers/{router['id']}"

        def routes(*pairs: tuple[str, str]) -> dict[str, Any]:
            return {"router": {"routes": [{"destination": d, "nexthop": n} for d, n in pairs]}}

        one, two = ("172.20.0.0/24", "10.0.0.9"), ("172.21.0.0/24", "10.0.0.9")
        added = await http.put(f"{path}/add_extraroutes", json=routes(one))
        assert added.status_code == 200, added.text
        assert added.json()["router"]["routes"] == routes(one)["router"]["routes"]
        added = await http.put(f"{path}/add_extraroutes", json=routes(two, one))
        assert added.json()["router"]["routes"] == routes(one, two)["router"]["routes"]
        assert added.json()["router"]["name"] == "r"
        removed = await http.put(f"{path}/remove_extraroutes", json=routes(one, ("172.22.0.0/24", "10.0.0.9")))
        assert removed.json()["router"]["routes"] == routes(two)["router"]["routes"]
        assert (await http.get(path)).json()["router"]["routes"] == routes(two)["router"]["routes"]
        lost = await http.put(f"{path}/add_extraroutes", json=routes(("172.23.0.0/24", "192.0.2.1")))
        assert error(lost)[:2] == (400, "InvalidRoutes")
        assert (await http.put(f"{path}/add_extraroutes", json={"router": {}})).status_code == 400
        assert (await stranger.put(f"{path}/add_extraroutes", json=routes(one))).status_code == 404
        assert (await http.get("/extensions/extraroute-atomic")).status_code == 200
