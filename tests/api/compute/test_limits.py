"""Limits of the project in scope."""

import pytest

from tests.support.compute import a_compute_service, at

pytestmark = pytest.mark.anyio
V = "/compute/v2.1"
NEW = {
    "maxServerMeta": 128,
    "maxTotalCores": 20,
    "maxTotalInstances": 10,
    "maxTotalKeypairs": 100,
    "maxTotalRAMSize": 51200,
    "maxServerGroups": 10,
    "maxServerGroupMembers": 10,
    "totalCoresUsed": 0,
    "totalInstancesUsed": 0,
    "totalRAMUsed": 0,
    "totalServerGroupsUsed": 0,
}
V239 = {**NEW, "maxPersonality": 5, "maxPersonalitySize": 10240}
V236 = {**V239, "maxImageMeta": 128}
V21 = {
    **V236,
    "maxSecurityGroupRules": -1,
    "maxSecurityGroups": -1,
    "maxTotalFloatingIps": -1,
    "totalSecurityGroupsUsed": 0,
    "totalFloatingIpsUsed": 0,
}


@pytest.mark.parametrize(("version", "expected"), [("2.1", V21), ("2.36", V236), ("2.39", V239), ("2.57", NEW)])
async def test_limits_at_each_version(version: str, expected: dict[str, int]) -> None:
    async with a_compute_service() as door:
        ann = at(door.as_(mount=V), version)
        assert (await ann.get("/limits")).json() == {"limits": {"rate": [], "absolute": expected}}


async def test_limits_of_others_are_for_administrators() -> None:
    async with a_compute_service() as door:
        ann, root = door.as_(mount=V), door.as_("root", role="admin", mount=V)
        await root.put("/os-quota-sets/blue", json={"quota_set": {"cores": 3}})
        assert (await root.get("/limits?tenant_id=blue")).json()["limits"]["absolute"]["maxTotalCores"] == 3
        assert (await ann.get("/limits?tenant_id=blue")).status_code == 403
        assert (await at(ann, "2.75").get("/limits?surprise=1")).status_code == 400
