"""Limits that identity keeps bind in compute, image, network and block storage, where that is switched on; told through the doors."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from minicloud.base.errors import Invalid
from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio


async def _registered(cloud: TestedCloud, service: str, **limits: int) -> None:
    found = (await cloud.admin.get("/identity/v3/services", params={"type": service})).json()["services"]
    wanted = [
        {"service_id": found[0]["id"], "resource_name": name, "default_limit": limit} for name, limit in limits.items()
    ]
    made = await cloud.admin.post("/identity/v3/registered_limits", json={"registered_limits": wanted})
    assert made.status_code == 201, made.text


async def _own(cloud: TestedCloud, service: str, project_id: str, **limits: int) -> None:
    found = (await cloud.admin.get("/identity/v3/services", params={"type": service})).json()["services"]
    wanted = [
        {"service_id": found[0]["id"], "resource_name": name, "project_id": project_id, "resource_limit": limit}
        for name, limit in limits.items()
    ]
    made = await cloud.admin.post("/identity/v3/limits", json={"limits": wanted})
    assert made.status_code == 201, made.text


async def _project(cloud: TestedCloud) -> str:
    found = (await cloud.admin.get("/identity/v3/projects", params={"name": "demo"})).json()["projects"]
    project: str = found[0]["id"]
    return project


async def test_compute_counts_servers_and_resource_classes() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, unified_limits="compute")
        project = await _project(cloud)
        answer = await cloud.ask_server(networks="none")
        assert answer.status_code == 403
        assert answer.json()["forbidden"]["message"] == (
            f"Project {project} is over a limit for "
            "[Resource servers is over limit of 0 due to current usage 0 and delta 1]"
        )
        await _registered(cloud, "compute", **{"servers": 10, "class:VCPU": 4, "class:DISK_GB": 3})
        await _own(cloud, "compute", project, **{"class:VCPU": 2})
        assert (await cloud.ask_server(networks="none")).status_code == 202
        # Of three more the limits let one in, and it counts though no host was chosen for it yet.
        assert (await cloud.ask_server(networks="none", min_count=1, max_count=3)).status_code == 202
        answer = await cloud.ask_server(networks="none")
        assert "Resource class:VCPU is over limit of 2 due to current usage 2 and delta 1" in answer.text
        shown = (await cloud.demo.get(f"/compute/v2.1/os-quota-sets/{project}/detail")).json()["quota_set"]
        assert shown["cores"] == {"limit": 2, "in_use": 2, "reserved": 0}
        assert shown["instances"] == {"limit": 10, "in_use": 2, "reserved": 0}
        absolute = (await cloud.demo.get("/compute/v2.1/limits")).json()["limits"]["absolute"]
        assert (absolute["maxTotalCores"], absolute["totalRAMUsed"]) == (2, 1024)


async def test_what_users_have_of_other_things_is_limited_by_what_is_registered() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, unified_limits="compute")
        cloud.demo = await cloud.as_demo(version="compute 2.1")
        await _registered(cloud, "compute", server_key_pairs=1)
        assert (
            await cloud.demo.post("/compute/v2.1/os-keypairs", json={"keypair": {"name": "one"}})
        ).status_code == 200
        answer = await cloud.demo.post("/compute/v2.1/os-keypairs", json={"keypair": {"name": "two"}})
        assert answer.status_code == 403
        assert "Resource server_key_pairs is over limit of 1 due to current usage 1 and delta 1" in answer.text
        # Quota sets change nothing then: identity keeps the limits.
        project = await _project(cloud)
        changed = await cloud.admin.put(f"/compute/v2.1/os-quota-sets/{project}", json={"quota_set": {"key_pairs": 7}})
        assert changed.status_code == 200
        assert changed.json()["quota_set"]["key_pairs"] == 1


async def test_image_counts_images_and_their_bytes() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, unified_limits="image")
        assert (await cloud.demo.get("/image/v2/info/usage")).json()["usage"]["image_count_total"]["limit"] == 0
        assert (await cloud.demo.post("/image/v2/images", json={"name": "none"})).status_code == 413
        await _registered(
            cloud, "image", image_count_total=1, image_size_total=1, image_count_uploading=1, image_stage_total=0
        )
        wanted = {"name": "one", "disk_format": "raw", "container_format": "bare"}
        made = (await cloud.demo.post("/image/v2/images", json=wanted)).json()
        refused = await cloud.demo.post("/image/v2/images", json=wanted)
        assert refused.status_code == 413
        assert "Resource image_count_total is over limit of 1 due to current usage 1 and delta 1" in refused.text
        path = f"/image/v2/images/{made['id']}/file"
        octets = {"Content-Type": "application/octet-stream"}
        too_much = await cloud.demo.put(path, content=bytes(3 << 20), headers=octets)
        assert too_much.status_code == 413
        assert (await cloud.demo.put(path, content=bytes(1 << 20), headers=octets)).status_code == 204
        usage = (await cloud.demo.get("/image/v2/info/usage")).json()["usage"]
        assert usage["image_size_total"] == {"usage": 1, "limit": 1}
        assert usage["image_count_uploading"] == {"usage": 0, "limit": 1}


async def test_who_has_too_many_bytes_of_images_begins_nothing_more() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield bytes(1 << 20)

    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, unified_limits="image")
        await _registered(
            cloud, "image", image_count_total=3, image_size_total=1, image_count_uploading=3, image_stage_total=5
        )
        wanted = {"name": "one", "disk_format": "raw", "container_format": "bare"}
        octets = {"Content-Type": "application/octet-stream"}
        first, second = [
            f"/image/v2/images/{(await cloud.demo.post('/image/v2/images', json=wanted)).json()['id']}"
            for _ in range(2)
        ]
        # How much comes was not said.
        assert (await cloud.demo.put(f"{first}/file", content=pieces(), headers=octets)).status_code == 204
        refused = await cloud.demo.put(f"{second}/file", content=pieces(), headers=octets)
        assert refused.status_code == 413
        assert "Resource image_size_total is over limit of 1 due to current usage 3 and delta 0" in refused.text
        assert (await cloud.demo.put(f"{second}/stage", content=pieces(), headers=octets)).status_code == 204
        asked = await cloud.demo.post(f"{second}/import", json={"method": {"name": "glance-direct"}})
        assert asked.status_code == 413
        assert (await cloud.demo.get(second)).json()["status"] == "uploading"


async def test_an_import_is_held_to_limits_when_it_begins_and_its_task_tells() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, unified_limits="image", import_allowed_hosts="127.0.0.1")
        await _registered(
            cloud, "image", image_count_total=9, image_size_total=1, image_count_uploading=1, image_stage_total=2
        )
        wanted = {"name": "one", "disk_format": "raw", "container_format": "bare"}
        octets = {"Content-Type": "application/octet-stream"}

        async def an_image() -> str:
            return f"/image/v2/images/{(await cloud.demo.post('/image/v2/images', json=wanted)).json()['id']}"

        async def imported(path: str, **method: str) -> str:
            """Why it came to nothing."""
            assert (await cloud.demo.post(f"{path}/import", json={"method": method})).status_code == 202
            await cloud.settled()
            [task] = (await cloud.demo.get(f"{path}/tasks")).json()["tasks"]
            assert (task["status"], (await cloud.demo.get(path)).json()["status"]) == ("failure", "queued")
            return str(task["message"])

        first, second, third = await an_image(), await an_image(), await an_image()
        assert (await cloud.demo.put(f"{first}/file", content=bytes(1 << 20), headers=octets)).status_code == 204
        assert (await cloud.demo.put(f"{second}/stage", content=bytes(1 << 20), headers=octets)).status_code == 204
        why = await imported(third, name="web-download", uri="http://127.0.0.1/x")
        assert "Resource image_count_uploading is over limit of 1 due to current usage 2 and delta 0" in why
        why = await imported(second, name="glance-direct")
        assert "Resource image_size_total is over limit of 1 due to current usage 1 and delta 1" in why
        usage = (await cloud.demo.get("/image/v2/info/usage")).json()["usage"]
        assert [usage[name]["usage"] for name in ("image_stage_total", "image_count_uploading")] == [0, 0]


async def test_network_takes_registered_limits_and_keeps_its_own_for_the_rest() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, unified_limits="network, compute")
        await _registered(cloud, "network", router=0)
        answer = await cloud.demo.post("/network/v2.0/routers", json={"router": {"name": "r"}})
        assert answer.status_code == 409
        assert "Quota exceeded for resources: ['router']" in answer.text
        shown = (await cloud.demo.get(f"/network/v2.0/quotas/{await _project(cloud)}")).json()["quota"]
        assert (shown["router"], shown["network"]) == (0, 100)


async def test_switched_off_they_bind_nothing() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        await _registered(cloud, "compute", servers=0)
        assert (await cloud.ask_server(networks="none")).status_code == 202


async def test_a_service_that_there_is_not_is_named() -> None:
    async with AsyncExitStack() as stack:
        with pytest.raises(Invalid, match="unified_limits names dns; there are compute, image, network, volume"):
            await a_cloud(stack, unified_limits="dns")


async def test_block_storage_takes_limits_of_a_project_and_keeps_its_own_for_the_rest() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, unified_limits="volume")
        project = await _project(cloud)
        await _registered(cloud, "block-storage", volumes=5, gigabytes=100)
        await _own(cloud, "block-storage", project, volumes=1)
        volume = {"volume": {"size": 1}}
        assert (await cloud.demo.post(f"/volume/v3/{project}/volumes", json=volume)).status_code == 202
        refused = await cloud.demo.post(f"/volume/v3/{project}/volumes", json=volume)
        assert (refused.status_code, refused.json()["overLimit"]["message"]) == (
            413,
            "VolumeLimitExceeded: Maximum number of volumes allowed (1) exceeded for quota 'volumes'.",
        )
        shown = (await cloud.admin.get(f"/volume/v3/{project}/os-quota-sets/{project}")).json()["quota_set"]
        assert (shown["volumes"], shown["gigabytes"], shown["snapshots"]) == (1, 100, 10)
        await cloud.settled()
