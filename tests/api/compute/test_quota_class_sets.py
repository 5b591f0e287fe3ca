"""Quota classes: the class default is every project's."""

import pytest

from tests.api.compute.test_quota_sets import INJECTED, MOVED, NEW
from tests.support.compute import a_compute_service, at

pytestmark = pytest.mark.anyio
V = "/compute/v2.1"
OLD = {name: limit for name, limit in NEW.items() if not name.startswith("server_group")}


@pytest.mark.parametrize(
    ("version", "expected"),
    [("2.1", {**OLD, **INJECTED, **MOVED}), ("2.50", {**NEW, **INJECTED}), ("2.57", NEW)],
)
async def test_a_class_at_each_version(version: str, expected: dict[str, int]) -> None:
    async with a_compute_service() as door:
        root, ann = at(door.as_("root", role="admin", mount=V), version), at(door.as_(mount=V), version)
        shown = await root.get("/os-quota-class-sets/default")
        assert shown.json() == {"quota_class_set": {"id": "default", **expected}}
        changed = await root.put("/os-quota-class-sets/default", json={"quota_class_set": {"cores": 7}})
        assert changed.json() == {"quota_class_set": {**expected, "cores": 7}}
        assert (await ann.get("/os-quota-sets/red")).json()["quota_set"]["cores"] == 7
        await root.put("/os-quota-class-sets/gold", json={"quota_class_set": {"ram": 9}})
        gold = (await root.get("/os-quota-class-sets/gold")).json()["quota_class_set"]
        assert (gold["cores"], gold["ram"]) == (20, 9)
        assert (await ann.get("/os-quota-sets/red")).json()["quota_set"]["ram"] == 51200
        assert (await ann.get("/os-quota-class-sets/default")).status_code == 403
        assert (await root.put("/os-quota-class-sets/default", json={"quota_class_set": {"x": 1}})).status_code == 400
