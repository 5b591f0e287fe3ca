"""Extra specs of flavors."""

import pytest

from tests.support.compute import a_compute_service, at

pytestmark = pytest.mark.anyio
V = "/compute/v2.1"


async def test_extra_specs_come_and_go() -> None:
    async with a_compute_service() as door:
        root, ann = door.as_("root", role="admin", mount=V), door.as_(mount=V)
        path = "/flavors/1/os-extra_specs"
        made = await root.post(path, json={"extra_specs": {"hw:numa_nodes": "1", "own": 2}})
        assert (made.status_code, made.json()) == (200, {"extra_specs": {"hw:numa_nodes": "1", "own": 2}})
        assert (await ann.get(path)).json() == {"extra_specs": {"hw:numa_nodes": "1", "own": "2"}}
        assert (await ann.get(f"{path}/own")).json() == {"own": "2"}
        changed = await root.put(f"{path}/own", json={"own": "3"})
        assert (changed.status_code, changed.json()) == (200, {"own": "3"})
        assert (await at(ann, "2.61").get("/flavors/1")).json()["flavor"]["extra_specs"]["own"] == "3"
        assert (await root.delete(f"{path}/own")).status_code == 200
        gone = await root.delete(f"{path}/own")
        message = "Flavor 1 has no extra specs with key own."
        assert (gone.status_code, gone.json()["itemNotFound"]["message"]) == (404, message)
        assert (await ann.get(f"{path}/own")).status_code == 404
        assert (await ann.post(path, json={"extra_specs": {"a": "b"}})).status_code == 403


async def test_bad_extra_specs_are_refused() -> None:
    async with a_compute_service() as door:
        root = door.as_("root", role="admin", mount=V)
        path = "/flavors/1/os-extra_specs"
        for specs in ({"a/b": "1"}, {"a": None}, {"a": True}, {"a": {}}, {"a": "x" * 256}, {"": "1"}):
            assert (await root.post(path, json={"extra_specs": specs})).status_code == 400, specs
        mismatch = await root.put(f"{path}/a", json={"b": "1"})
        assert mismatch.json()["badRequest"]["message"] == "Request body and URI mismatch"
        for body in ({}, {"a": "1", "b": "2"}, []):
            assert (await root.put(f"{path}/a", json=body)).status_code == 400, body
        assert (await root.put(f"{path}/a", content=b"{")).status_code == 400
        assert (await root.post("/flavors/none/os-extra_specs", json={"extra_specs": {"a": "1"}})).status_code == 404


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("hw:cpu_policy", "dedicated", 200),
        ("hw:cpu_policy", "mine", 400),
        ("hw:numa_nodes", "0", 400),
        ("hw:numa_cpus.0", "0-1", 200),
        ("hw:surprise", "1", 400),
        ("hw_rng:allowed", "true", 200),
        ("hw_rng:allowed", "perhaps", 400),
        ("resources:VCPU", "1", 200),
        ("resources1:CUSTOM_A", "1", 200),
        ("resources:SURPRISE", "1", 400),
        ("trait:HW_CPU_X86_AVX", "required", 200),
        ("trait:HW_CPU_X86_AVX", "perhaps", 400),
        ("trait:SURPRISE", "required", 400),
        ("quota:disk_read_iops_sec", "x", 400),
        ("capabilities:cpu_info:features", "x", 200),
        ("mine:surprise", "1", 200),
        ("plain", "1", 200),
    ],
)
async def test_known_names_are_checked_since_2_86(name: str, value: str, status: int) -> None:
    async with a_compute_service() as door:
        root = at(door.as_("root", role="admin", mount=V), "2.86")
        path = "/flavors/1/os-extra_specs"
        assert (await root.post(path, json={"extra_specs": {name: value}})).status_code == status
        assert (await at(root, "2.85").post(path, json={"extra_specs": {name: value}})).status_code == 200
