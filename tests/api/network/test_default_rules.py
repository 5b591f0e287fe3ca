"""What new security groups begin with is a matter of templates; flavors, providers and metering are recorded."""

from typing import Any

import pytest

from tests.support.network import MOUNT, a_network_service, ann, error, made, root

pytestmark = pytest.mark.anyio


def _rules(group: dict[str, Any]) -> list[tuple[str, str, str | None, int | None]]:
    return sorted(
        (rule["direction"], rule["ethertype"], rule["protocol"], rule["port_range_min"])
        for rule in group["security_group_rules"]
    )


async def test_new_groups_begin_as_templates_say() -> None:
    async with a_network_service() as door, root(door) as admin, ann(door) as member:
        path = "/default-security-group-rules"
        assert len((await member.get(path)).json()["default_security_group_rules"]) == 4
        ssh = {"direction": "ingress", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22}
        assert (await member.post(path, json={"default_security_group_rule": ssh})).status_code == 403
        answer = await admin.post(path, json={"default_security_group_rule": ssh})
        assert answer.status_code == 201, answer.text
        template = answer.json()["default_security_group_rule"]
        assert (template["used_in_default_sg"], template["used_in_non_default_sg"]) == (False, True)
        twice = await admin.post(path, json={"default_security_group_rule": ssh})
        assert error(twice)[:2] == (409, "DefaultSecurityGroupRuleExists")
        group = await made(member, "security_group", name="g")
        assert ("ingress", "IPv4", "tcp", 22) in _rules(group)
        default = next(
            one for one in (await member.get("/security-groups")).json()["security_groups"] if one["name"] == "default"
        )
        assert ("ingress", "IPv4", "tcp", 22) not in _rules(default)
        assert {rule["remote_group_id"] for rule in default["security_group_rules"]} == {None, default["id"]}
        assert (await admin.delete(f"{path}/{template['id']}")).status_code == 204
        assert ("ingress", "IPv4", "tcp", 22) not in _rules(await made(member, "security_group", name="h"))
        wrong = await admin.post(path, json={"default_security_group_rule": ssh | {"protocol": "teleport"}})
        assert error(wrong)[:2] == (400, "SecurityGroupRuleInvalidProtocol")


async def test_flavors_and_their_profiles() -> None:
    async with a_network_service() as door, root(door) as admin, ann(door) as member:
        answer = await admin.post("/service_profiles", json={"service_profile": {"metainfo": {"a": 1}}})
        assert answer.status_code == 201, answer.text
        profile = answer.json()["service_profile"]
        assert profile["metainfo"] == '{"a":1}'
        flavor = await made(admin, "flavor", name="f", service_type="L3_ROUTER_NAT")
        assert (flavor["enabled"], flavor["service_profiles"]) == (True, [])
        path = f"/flavors/{flavor['id']}/service_profiles"
        bound = await admin.post(path, json={"service_profile": {"id": profile["id"]}})
        assert bound.status_code == 201, bound.text
        assert (await member.get(f"/flavors/{flavor['id']}")).json()["flavor"]["service_profiles"] == [profile["id"]]
        assert error(await admin.delete(f"/service_profiles/{profile['id']}"))[:2] == (409, "ServiceProfileInUse")
        assert (await admin.delete(f"{path}/{profile['id']}")).status_code == 204
        assert error(await admin.delete(f"{path}/{profile['id']}"))[:2] == (404, "FlavorServiceProfileBindingNotFound")
        assert (await member.post("/flavors", json={"flavor": {"service_type": "VPN"}})).status_code == 403
        assert (await member.get("/service_profiles")).json()["service_profiles"] == []
        empty = await admin.post("/service_profiles", json={"service_profile": {}})
        assert error(empty)[:2] == (400, "ServiceProfileEmpty")
        other = await admin.post("/service_profiles", json={"service_profile": {"driver": "nobody"}})
        assert error(other)[:2] == (404, "ServiceProfileDriverNotFound")
        found = (await member.get("/service-providers")).json()["service_providers"]
        assert [one["service_type"] for one in found] == ["L3_ROUTER_NAT"]


async def test_labels_of_traffic() -> None:
    async with a_network_service() as door:
        manager = door.as_("ann", project="red", role="manager", mount=MOUNT)
        async with manager as http, ann(door) as member:
            answer = await http.post("/metering/metering-labels", json={"metering_label": {"name": "l"}})
            assert answer.status_code == 201, answer.text
            label = answer.json()["metering_label"]
            values = {"metering_label_id": label["id"], "direction": "ingress"}
            path = "/metering/metering-label-rules"

            async def asked(**more: Any) -> Any:
                return await http.post(path, json={"metering_label_rule": values | more})

            rule = await asked(remote_ip_prefix="10.0.0.0/24")
            assert rule.status_code == 201, rule.text
            assert (await asked()).status_code == 400
            assert (await asked(remote_ip_prefix="10.0.0.0/24", source_ip_prefix="10.1.0.0/24")).status_code == 400
            one = f"{path}/{rule.json()['metering_label_rule']['id']}"
            assert (await member.get(one)).status_code == 200
            assert (await member.delete(one)).status_code == 403
            assert (await http.delete(f"/metering/metering-labels/{label['id']}")).status_code == 204
            assert error(await http.get(one))[:2] == (404, "MeteringLabelRuleNotFound")
