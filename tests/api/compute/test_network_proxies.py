"""Networks, floating addresses and security groups through Nova, as clients older than 2.36 have them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest

from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio
V = "/compute/v2.1"
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
async def cloud() -> AsyncIterator[TestedCloud]:
    async with AsyncExitStack() as stack:
        yield await a_cloud(stack, reconcile_interval=1e6)


@pytest.fixture
async def old(cloud: TestedCloud) -> httpx.AsyncClient:
    """A member's client of 2.35."""
    return await cloud.as_demo(version="compute 2.35")


async def test_networks(cloud: TestedCloud, old: httpx.AsyncClient) -> None:
    found = (await old.get(f"{V}/os-networks")).json()["networks"]
    assert len(found) >= 2
    assert found[0]["cidr"] is None
    assert "vlan" not in found[0]
    root = await cloud.as_admin(version="compute 2.35")
    one = (await root.get(f"{V}/os-networks/{found[0]['id']}")).json()["network"]
    assert one["label"] == found[0]["label"]
    assert "vlan" in one
    brief = (await old.get(f"{V}/os-tenant-networks")).json()["networks"]
    assert brief[0] == {"id": found[0]["id"], "cidr": "None", "label": found[0]["label"]}
    assert (await old.get(f"{V}/os-tenant-networks/{brief[0]['id']}")).json() == {"network": brief[0]}
    assert (await old.get(f"{V}/os-networks/{NOBODY}")).status_code == 404
    assert (await cloud.demo.get(f"{V}/os-networks")).status_code == 404


async def test_a_floating_address_from_the_pool_to_a_server_and_back(
    cloud: TestedCloud, old: httpx.AsyncClient
) -> None:
    server = await cloud.a_server()
    [pool] = (await old.get(f"{V}/os-floating-ip-pools")).json()["floating_ip_pools"]
    made = (await old.post(f"{V}/os-floating-ips", json={"pool": pool["name"]})).json()["floating_ip"]
    assert set(made) == {"fixed_ip", "id", "instance_id", "ip", "pool"}
    assert (made["pool"], made["instance_id"]) == (pool["name"], None)
    added = await cloud.act(server["id"], {"addFloatingIp": {"address": made["ip"]}}, old)
    assert added.status_code == 202
    [told] = (await old.get(f"{V}/os-floating-ips")).json()["floating_ips"]
    assert (told["instance_id"], told["fixed_ip"] in str(server["addresses"])) == (server["id"], True)
    removed = await cloud.act(server["id"], {"removeFloatingIp": {"address": made["ip"]}}, old)
    assert removed.status_code == 202
    again = await cloud.act(server["id"], {"removeFloatingIp": {"address": made["ip"]}}, old)
    assert again.status_code == 409
    assert (await old.get(f"{V}/os-floating-ips/{made['id']}")).json()["floating_ip"]["instance_id"] is None
    assert (await old.delete(f"{V}/os-floating-ips/{made['id']}")).status_code == 202
    assert (await old.delete(f"{V}/os-floating-ips/{made['id']}")).status_code == 404
    for path in ("os-floating-ips", "os-floating-ip-pools"):
        assert (await cloud.demo.get(f"{V}/{path}")).status_code == 404


async def test_what_cannot_be_associated(cloud: TestedCloud, old: httpx.AsyncClient) -> None:
    server = await cloud.a_server(networks="none")
    made = (await old.post(f"{V}/os-floating-ips")).json()["floating_ip"]
    for address, status in ((made["ip"], 400), ("x", 400), ("203.0.113.250", 400)):
        answer = await cloud.act(server["id"], {"addFloatingIp": {"address": address}}, old)
        assert answer.status_code == status, answer.text
    wired = await cloud.a_server()
    assert (await cloud.act(wired["id"], {"addFloatingIp": {"address": "203.0.113.250"}}, old)).status_code == 404
    unknown = await cloud.act(wired["id"], {"addFloatingIp": {"address": made["ip"]}})
    assert unknown.status_code == 404
    assert (await old.post(f"{V}/os-floating-ips", json={"pool": "nowhere"})).status_code == 404


async def test_security_groups_and_rules(cloud: TestedCloud, old: httpx.AsyncClient) -> None:
    body = {"security_group": {"name": "web", "description": "of the web"}}
    made = (await old.post(f"{V}/os-security-groups", json=body)).json()["security_group"]
    assert set(made) == {"id", "name", "description", "tenant_id", "rules"}
    rule = {"parent_group_id": made["id"], "ip_protocol": "tcp", "from_port": "80", "to_port": 80}
    created = (await old.post(f"{V}/os-security-group-rules", json={"security_group_rule": rule})).json()
    assert created["security_group_rule"] == {
        "id": created["security_group_rule"]["id"],
        "parent_group_id": made["id"],
        "ip_protocol": "tcp",
        "from_port": 80,
        "to_port": 80,
        "group": {},
        "ip_range": {"cidr": "0.0.0.0/0"},
    }
    shown = (await old.get(f"{V}/os-security-groups/{made['id']}")).json()["security_group"]
    assert shown["rules"] == [created["security_group_rule"]]
    assert (await old.post(f"{V}/os-security-group-rules", json={"security_group_rule": rule})).status_code == 400
    inside = {"parent_group_id": made["id"], "group_id": made["id"], "ip_protocol": "icmp"}
    answer = (await old.post(f"{V}/os-security-group-rules", json={"security_group_rule": inside})).json()
    assert answer["security_group_rule"]["group"]["name"] == "web"
    names = [group["name"] for group in (await old.get(f"{V}/os-security-groups")).json()["security_groups"]]
    assert names == ["default", "web"]
    changed = {"security_group": {"name": "web2", "description": ""}}
    assert (await old.put(f"{V}/os-security-groups/{made['id']}", json=changed)).json()["security_group"][
        "name"
    ] == "web2"
    rule_id = created["security_group_rule"]["id"]
    assert (await old.delete(f"{V}/os-security-group-rules/{rule_id}")).status_code == 202
    assert (await old.delete(f"{V}/os-security-groups/{made['id']}")).status_code == 202
    assert (await old.get(f"{V}/os-security-groups/{made['id']}")).status_code == 404
    assert (await cloud.demo.get(f"{V}/os-security-groups")).status_code == 404


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        ({"ip_protocol": "tcp", "from_port": "x", "to_port": "1"}, 400),
        ({"ip_protocol": "tcp", "from_port": 9, "to_port": 1}, 400),
        ({"ip_protocol": "tcp", "from_port": 0, "to_port": 1}, 400),
        ({"ip_protocol": "icmp", "from_port": 256, "to_port": 0}, 400),
        ({"ip_protocol": "gre", "from_port": 1, "to_port": 1}, 400),
        ({"ip_protocol": "tcp", "from_port": 1, "to_port": 1, "cidr": "x"}, 400),
        ({"ip_protocol": "tcp"}, 400),
        ({}, 400),
        ({"ip_protocol": "icmp", "from_port": -1, "to_port": -1, "cidr": "2001:db8::/32"}, 200),
    ],
)
async def test_rules_that_make_no_sense(old: httpx.AsyncClient, rule: dict[str, object], status: int) -> None:
    [group] = (await old.get(f"{V}/os-security-groups")).json()["security_groups"]
    body = {"security_group_rule": {"parent_group_id": group["id"], **rule}}
    answer = await old.post(f"{V}/os-security-group-rules", json=body)
    assert answer.status_code == status, answer.text
