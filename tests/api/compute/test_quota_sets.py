"""Quotas of projects over HTTP."""

import pytest

from tests.support.compute import a_compute_service, at

pytestmark = pytest.mark.anyio
V = "/compute/v2.1"
NEW = {
    "instances": 10,
    "cores": 20,
    "ram": 51200,
    "metadata_items": 128,
    "key_pairs": 100,
    "server_groups": 10,
    "server_group_members": 10,
}
INJECTED = {"injected_files": 5, "injected_file_content_bytes": 10240, "injected_file_path_bytes": 255}
MOVED = {"fixed_ips": -1, "floating_ips": -1, "security_groups": -1, "security_group_rules": -1}


@pytest.mark.parametrize(
    ("version", "expected"),
    [("2.1", {**NEW, **INJECTED, **MOVED}), ("2.36", {**NEW, **INJECTED}), ("2.57", NEW)],
)
async def test_a_quota_set_at_each_version(version: str, expected: dict[str, int]) -> None:
    async with a_compute_service() as door:
        ann = at(door.as_(mount=V), version)
        whole = {"quota_set": {"id": "red", **expected}}
        assert (await ann.get("/os-quota-sets/red")).json() == whole
        assert (await ann.get("/os-quota-sets/red/defaults")).json() == whole
        usage = {name: {"limit": limit, "in_use": 0, "reserved": 0} for name, limit in expected.items()}
        assert (await ann.get("/os-quota-sets/red/detail")).json() == {"quota_set": {"id": "red", **usage}}
        root = at(door.as_("root", role="admin", mount=V), version)
        changed = await root.put("/os-quota-sets/red", json={"quota_set": {"cores": "7", "instances": -1}})
        assert changed.json() == {"quota_set": {**expected, "cores": 7, "instances": -1}}
        assert (await ann.get("/os-quota-sets/red")).json()["quota_set"]["cores"] == 7
        assert (await ann.get("/os-quota-sets/red/defaults")).json() == whole
        assert (await root.delete("/os-quota-sets/red")).status_code == 202
        assert (await ann.get("/os-quota-sets/red")).json() == whole


async def test_who_may_look_and_change() -> None:
    async with a_compute_service() as door:
        ann, root = door.as_(mount=V), door.as_("root", role="admin", mount=V)
        assert (await ann.get("/os-quota-sets/blue")).status_code == 403
        assert (await ann.get("/os-quota-sets/blue/detail")).status_code == 403
        assert (await ann.put("/os-quota-sets/red", json={"quota_set": {"cores": 1}})).status_code == 403
        assert (await ann.delete("/os-quota-sets/red")).status_code == 403
        nobody = await root.get("/os-quota-sets/nobody")
        assert nobody.json()["badRequest"]["message"] == "Project ID nobody is not a valid project."
        assert (await root.put("/os-quota-sets/nobody", json={"quota_set": {"cores": 1}})).status_code == 400


async def test_bad_limits_are_refused() -> None:
    async with a_compute_service() as door:
        root = door.as_("root", role="admin", mount=V)
        for change in ({"cores": -2}, {"cores": 1 << 31}, {"cores": "many"}, {"colour": 1}, {"force": "perhaps"}):
            answer = await root.put("/os-quota-sets/red", json={"quota_set": change})
            assert answer.status_code == 400, change
        assert (await root.put("/os-quota-sets/red", json={"quota_set": {"fixed_ips": 5}})).status_code == 200
        newer = at(root, "2.36")
        assert (await newer.put("/os-quota-sets/red", json={"quota_set": {"fixed_ips": 5}})).status_code == 400
        assert (await at(root, "2.75").get("/os-quota-sets/red?surprise=1")).status_code == 400


async def test_limits_of_one_user_stay_within_the_projects() -> None:
    async with a_compute_service() as door:
        root = door.as_("root", role="admin", mount=V)
        path = "/os-quota-sets/red?user_id=ann"
        set_ = await root.put(path, json={"quota_set": {"cores": 5}})
        assert (set_.status_code, set_.json()["quota_set"]["cores"]) == (200, 5)
        assert (await root.get(path)).json()["quota_set"]["cores"] == 5
        assert (await root.get("/os-quota-sets/red")).json()["quota_set"]["cores"] == 20
        more = await root.put(path, json={"quota_set": {"cores": 21}})
        assert more.json()["badRequest"]["message"] == "Quota limit 21 for cores must be less than or equal to 20."
        assert (await root.put(path, json={"quota_set": {"cores": 21, "force": True}})).status_code == 200
        detail = (await root.get("/os-quota-sets/red/detail?user_id=ann")).json()["quota_set"]
        assert detail["cores"] == {"limit": 21, "in_use": 0, "reserved": 0}
        assert (await root.delete(path)).status_code == 202
        assert (await root.get(path)).json()["quota_set"]["cores"] == 20
        await root.put(path, json={"quota_set": {"cores": 5}})
        assert (await root.delete("/os-quota-sets/red")).status_code == 202
        assert (await root.get(path)).json()["quota_set"]["cores"] == 20
