"""Security groups of a server over HTTP: listed with rules, added, removed."""

from contextlib import AsyncExitStack

import pytest

from tests.support.clouds import a_cloud

pytestmark = pytest.mark.anyio


async def test_groups_are_added_listed_and_removed() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server_id = (await cloud.a_server())["id"]
        path = f"/compute/v2.1/servers/{server_id}/os-security-groups"
        group = {"security_group": {"name": "web", "description": "d"}}
        made = (await cloud.demo.post("/network/v2.0/security-groups", json=group)).json()["security_group"]
        rule = {"security_group_id": made["id"], "direction": "ingress", "protocol": "tcp", "port_range_min": 80}
        answer = await cloud.demo.post(
            "/network/v2.0/security-group-rules", json={"security_group_rule": {**rule, "port_range_max": 81}}
        )
        assert answer.status_code == 201, answer.text
        assert (await cloud.act(server_id, {"addSecurityGroup": {"name": "web"}})).status_code == 202
        found = (await cloud.demo.get(path)).json()["security_groups"]
        assert [one["name"] for one in found] == ["default", "web"]
        [shown] = found[1]["rules"]
        shown.pop("id")
        assert shown == {
            "parent_group_id": made["id"],
            "ip_protocol": "tcp",
            "from_port": 80,
            "to_port": 81,
            "group": {},
            "ip_range": {"cidr": "0.0.0.0/0"},
        }
        assert {one["group"].get("name") for one in found[0]["rules"]} == {"default"}
        assert {one["name"] for one in (await cloud.server(server_id))["security_groups"]} == {"default", "web"}
        assert (await cloud.act(server_id, {"removeSecurityGroup": {"name": "web"}})).status_code == 202
        assert [one["name"] for one in (await cloud.demo.get(path)).json()["security_groups"]] == ["default"]
        again = await cloud.act(server_id, {"removeSecurityGroup": {"name": "web"}})
        assert again.status_code == 404, again.text
        assert (await cloud.act(server_id, {"addSecurityGroup": {"name": "none"}})).status_code == 404
        assert (await cloud.act(server_id, {"addSecurityGroup": {}})).status_code == 400
