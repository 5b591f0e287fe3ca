"""Policies of quality of service: rules of all types, contradictions refused, and what has a policy keeps it from going."""

from typing import Any

import httpx
import pytest

from tests.support.doors import Door
from tests.support.network import MOUNT, a_network_service, a_way_out, ann, error, made, root

pytestmark = pytest.mark.anyio


def _manager(door: Door) -> httpx.AsyncClient:
    return door.as_("ann", project="red", role="manager", mount=MOUNT)


async def _policy(http: httpx.AsyncClient, **values: Any) -> dict[str, Any]:
    answer = await http.post("/qos/policies", json={"policy": {"name": "q"} | values})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()["policy"]
    return found


async def _rule(http: httpx.AsyncClient, policy: dict[str, Any], kind: str, **values: Any) -> httpx.Response:
    return await http.post(f"/qos/policies/{policy['id']}/{kind}_rules", json={f"{kind}_rule": values})


async def test_a_policy_and_its_rules_through_their_life() -> None:
    async with a_network_service() as door, _manager(door) as http, ann(door) as member:
        policy = await _policy(http, description="slow")
        assert policy["rules"] == []
        assert policy["is_default"] is False
        made_rule = await _rule(http, policy, "bandwidth_limit", max_kbps=1000)
        assert made_rule.status_code == 201, made_rule.text
        rule = made_rule.json()["bandwidth_limit_rule"]
        assert rule == {"id": rule["id"], "max_kbps": 1000, "max_burst_kbps": 0, "direction": "egress"}
        path = f"/qos/policies/{policy['id']}"
        assert (await http.get(path)).json()["policy"]["rules"] == [
            {**rule, "type": "bandwidth_limit", "qos_policy_id": policy["id"]}
        ]
        one = f"{path}/bandwidth_limit_rules/{rule['id']}"
        changed = await http.put(one, json={"bandwidth_limit_rule": {"max_kbps": 500, "direction": "ingress"}})
        assert changed.json()["bandwidth_limit_rule"]["max_kbps"] == 500
        alias = f"/qos/alias_bandwidth_limit_rules/{rule['id']}"
        assert (await http.get(alias)).json()["alias_bandwidth_limit_rule"]["direction"] == "ingress"
        again = await http.put(alias, json={"alias_bandwidth_limit_rule": {"max_kbps": 7}})
        assert again.json()["alias_bandwidth_limit_rule"]["max_kbps"] == 7
        # A member may use policies, not make them.
        assert (await member.post("/qos/policies", json={"policy": {"name": "x"}})).status_code == 403
        assert (await member.get(one)).status_code == 200
        assert (await member.delete(one)).status_code == 403
        assert (await http.delete(one)).status_code == 204
        assert error(await http.get(one)) == (
            404,
            "QosRuleNotFound",
            f"QoS rule {rule['id']} for policy {policy['id']} could not be found.",
        )
        assert (await http.delete(path)).status_code == 204


async def test_rules_do_not_contradict_each_other() -> None:
    async with a_network_service() as door, _manager(door) as http:
        policy = await _policy(http)
        assert (await _rule(http, policy, "bandwidth_limit", max_kbps=1000)).status_code == 201
        twice = await _rule(http, policy, "bandwidth_limit", max_kbps=2000)
        assert error(twice)[:2] == (409, "QoSRulesConflict")
        assert (await _rule(http, policy, "bandwidth_limit", max_kbps=2000, direction="ingress")).status_code == 201
        more = await _rule(http, policy, "minimum_bandwidth", min_kbps=1001)
        assert error(more)[:2] == (409, "QoSRuleParameterConflict")
        assert (await _rule(http, policy, "minimum_bandwidth", min_kbps=1000)).status_code == 201
        assert (await _rule(http, policy, "dscp_marking", dscp_mark=26)).status_code == 201
        assert (await _rule(http, policy, "dscp_marking", dscp_mark=27)).status_code == 400
        assert (await _rule(http, policy, "bandwidth_limit")).status_code == 400
        assert (await _rule(http, policy, "minimum_packet_rate", min_kpps=3, direction="any")).status_code == 201
        mixed = await _rule(http, policy, "minimum_packet_rate", min_kpps=3)
        assert error(mixed)[:2] == (409, "QoSRuleParameterConflict")


async def test_what_has_a_policy_keeps_it() -> None:
    async with a_network_service() as door, _manager(door) as http:
        policy = await _policy(http)
        network = await made(http, "network", qos_policy_id=policy["id"])
        port = await made(http, "port", network_id=network["id"])
        assert (port["qos_policy_id"], port["qos_network_policy_id"]) == (None, policy["id"])
        used = await http.delete(f"/qos/policies/{policy['id']}")
        assert error(used) == (
            409,
            "QosPolicyInUse",
            f"QoS Policy {policy['id']} is used by network {network['id']}.",
        )
        freed = await http.put(f"/networks/{network['id']}", json={"network": {"qos_policy_id": None}})
        assert freed.json()["network"]["qos_policy_id"] is None
        own = await http.put(f"/ports/{port['id']}", json={"port": {"qos_policy_id": policy["id"]}})
        assert own.json()["port"]["qos_policy_id"] == policy["id"]
        nothing = await http.put(f"/ports/{port['id']}", json={"port": {"qos_policy_id": network["id"]}})
        assert error(nothing)[:2] == (404, "QosPolicyNotFound")


async def test_a_rule_that_no_host_keeps_to_is_refused_where_it_would_count() -> None:
    async with a_network_service() as door, _manager(door) as http:
        policy = await _policy(http)
        assert (await _rule(http, policy, "packet_rate_limit", max_kpps=3)).status_code == 201
        network = await made(http, "network")
        refused = await http.post("/ports", json={"port": {"network_id": network["id"], "qos_policy_id": policy["id"]}})
        assert error(refused)[:2] == (409, "QosRuleNotSupported")
        other = await _policy(http)
        await made(http, "port", network_id=network["id"], qos_policy_id=other["id"])
        late = await _rule(http, other, "packet_rate_limit", max_kpps=3)
        assert error(late)[:2] == (409, "QosRuleNotSupported")


async def test_new_networks_get_their_projects_default_policy() -> None:
    async with a_network_service() as door, _manager(door) as http:
        policy = await _policy(http, is_default=True)
        second = await http.post("/qos/policies", json={"policy": {"name": "x", "is_default": True}})
        assert error(second)[:2] == (409, "QoSPolicyDefaultAlreadyExists")
        assert (await made(http, "network"))["qos_policy_id"] == policy["id"]


async def test_types_of_rules() -> None:
    async with a_network_service() as door, ann(door) as member, root(door) as admin:
        types = [one["type"] for one in (await member.get("/qos/rule-types")).json()["rule_types"]]
        assert types == ["bandwidth_limit", "dscp_marking", "minimum_bandwidth"]
        every = (await member.get("/qos/rule-types?all_rules=True")).json()["rule_types"]
        assert len(every) == 5
        told = (await admin.get("/qos/rule-types/dscp_marking")).json()["rule_type"]
        assert told["drivers"][0]["supported_parameters"][0]["parameter_name"] == "dscp_mark"
        assert (await member.get("/qos/rule-types/dscp_marking")).status_code == 403


async def test_a_policy_that_an_administrator_laid_on_a_network_stays_there() -> None:
    async with a_network_service() as door, ann(door) as member, root(door) as admin:
        policy = await _policy(admin)
        network = await made(member, "network")
        path = f"/networks/{network['id']}"
        assert (await admin.put(path, json={"network": {"qos_policy_id": policy["id"]}})).status_code == 200
        refused = await member.put(path, json={"network": {"qos_policy_id": None}})
        assert error(refused) == (
            403,
            "PolicyRemoveAuthorizationError",
            f"Failed to remove provided policy {policy['id']} because you are not authorized.",
        )
        shared = await admin.put(f"/qos/policies/{policy['id']}", json={"policy": {"shared": True}})
        assert shared.status_code == 200, shared.text
        freed = await member.put(path, json={"network": {"qos_policy_id": None}})
        assert freed.json()["network"]["qos_policy_id"] is None
        assert (await member.delete(f"/qos/policies/{policy['id']}")).status_code == 403


async def test_a_floating_address_and_a_gateway_have_policies_of_their_own_or_their_networks() -> None:
    async with a_network_service() as door, ann(door) as member, root(door) as admin:
        _, outside, router = await a_way_out(door)
        policy, other = await _policy(admin, shared=True), await _policy(admin)
        held = await made(member, "floatingip", floating_network_id=outside["id"], qos_policy_id=policy["id"])
        assert (held["qos_policy_id"], held["qos_network_policy_id"]) == (policy["id"], None)
        plain = await made(member, "floatingip", floating_network_id=outside["id"])
        unseen = {"floatingip": {"floating_network_id": outside["id"], "qos_policy_id": other["id"]}}
        assert error(await member.post("/floatingips", json=unseen))[:2] == (404, "QosPolicyNotFound")
        assert "qos_policy_id" not in router["external_gateway_info"]

        def gateway(**values: Any) -> dict[str, Any]:
            return {"router": {"external_gateway_info": {"network_id": outside["id"]} | values}}

        there = f"/routers/{router['id']}"
        given = await member.put(there, json=gateway(qos_policy_id=policy["id"]))
        assert given.json()["router"]["external_gateway_info"]["qos_policy_id"] == policy["id"]
        # Whoever does not speak of it changes nothing.
        same = await member.put(there, json=gateway())
        assert same.json()["router"]["external_gateway_info"]["qos_policy_id"] == policy["id"]
        for kind, user in (("fip", held), ("router", router)):
            used = await admin.delete(f"/qos/policies/{policy['id']}")
            assert error(used) == (
                409,
                "QosPolicyInUse",
                f"QoS Policy {policy['id']} is used by {kind} {user['id']}.",
            )
            if kind == "fip":
                freed = await member.put(f"/floatingips/{held['id']}", json={"floatingip": {"qos_policy_id": None}})
                assert freed.json()["floatingip"]["qos_policy_id"] is None
        wrong = await member.put(there, json=gateway(qos_policy_id="x"))
        assert error(wrong)[:2] == (400, "HTTPBadRequest")
        await admin.put(f"/networks/{outside['id']}", json={"network": {"qos_policy_id": other["id"]}})
        by_network = (await member.get(f"/floatingips/{plain['id']}")).json()["floatingip"]
        assert (by_network["qos_policy_id"], by_network["qos_network_policy_id"]) == (None, other["id"])
        gone = await member.put(there, json={"router": {"external_gateway_info": None}})
        assert gone.status_code == 200, gone.text
        again = await member.put(there, json=gateway())
        assert again.json()["router"]["external_gateway_info"]["qos_policy_id"] is None
        assert (await admin.delete(f"/qos/policies/{policy['id']}")).status_code == 204


async def test_a_policy_that_is_shared_stays_so_while_a_floating_address_or_a_gateway_has_it() -> None:
    async with a_network_service() as door, root(door) as admin, door.as_("bea", project="b" * 32, mount=MOUNT) as bea:
        _, outside, _ = await a_way_out(door)
        policy = await _policy(admin)
        shared = {"object_type": "qos_policy", "object_id": policy["id"], "action": "access_as_shared"}
        answer = await admin.post("/rbac-policies", json={"rbac_policy": {"target_tenant": "b" * 32, **shared}})
        entry = f"/rbac-policies/{answer.json()['rbac_policy']['id']}"
        gateway = {"network_id": outside["id"], "qos_policy_id": policy["id"]}
        for kind, values in (
            ("floatingip", {"floating_network_id": outside["id"], "qos_policy_id": policy["id"]}),
            ("router", {"external_gateway_info": gateway}),
        ):
            user = await made(bea, kind, **values)
            assert error(await admin.delete(entry))[:2] == (409, "RbacPolicyInUse")
            assert (await bea.delete(f"/{kind}s/{user['id']}")).status_code == 204
        assert (await admin.delete(entry)).status_code == 204
