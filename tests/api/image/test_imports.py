"""Imports: what was staged, or lies behind a URL, becomes the image; or the image waits again and the task says why."""

import hashlib
from typing import Any

import httpx
import pytest

from minicloud.core.image.options import ImageOptions
from tests.support.doors import Door
from tests.support.image import OCTETS, RAW, an_image, an_image_service
from tests.support.images import a_qcow2
from tests.support.web import HERE, a_web, ok

pytestmark = pytest.mark.anyio
M = "/image"
DIRECT = {"method": {"name": "glance-direct"}}
FROM_HERE = ImageOptions(downloads=HERE)


async def imported(door: Door, http: httpx.AsyncClient, image_id: str, document: Any) -> httpx.Response:
    """Ask for an import and wait for its end."""
    answer = await http.post(f"/v2/images/{image_id}/import", json=document)
    await door.executor.idle()
    return answer


async def test_what_was_staged_becomes_the_image() -> None:
    async with an_image_service() as door:
        ann, bob = door.as_(mount=M), door.as_("bob", project="blue", mount=M)
        assert (await ann.get("/v2/info/import")).json()["import-methods"]["value"] == [
            "glance-direct",
            "web-download",
            "copy-image",
        ]
        image = await an_image(ann, None, disk_format="qcow2")
        path = f"/v2/images/{image['id']}"
        assert (await imported(door, ann, image["id"], DIRECT)).status_code == 409
        content = a_qcow2(size=3 << 20)
        assert (await bob.put(f"{path}/stage", content=content, headers=OCTETS)).status_code == 404
        assert (await ann.put(f"{path}/stage", content=content)).status_code == 415
        assert (await ann.put(f"{path}/stage", content=content, headers=OCTETS)).status_code == 204
        staged = (await ann.get(path)).json()
        assert (staged["status"], staged["size"], staged["checksum"]) == ("uploading", len(content), None)
        assert (await ann.put(f"{path}/stage", content=content, headers=OCTETS)).status_code == 409
        assert (await ann.put(f"{path}/file", content=content, headers=OCTETS)).status_code == 409
        answer = await imported(door, ann, image["id"], DIRECT)
        assert (answer.status_code, answer.content) == (202, b"")
        found = (await ann.get(path)).json()
        assert (found["status"], found["virtual_size"], found["stores"]) == ("active", 3 << 20, "file")
        assert found["os_hash_value"] == hashlib.sha512(content).hexdigest()
        assert (found["os_glance_importing_to_stores"], found["os_glance_failed_import"]) == ("", "")
        assert "os_glance_import_task" not in found
        assert await door.blobs.keys() == [image["id"]]
        (task,) = (await ann.get(f"{path}/tasks")).json()["tasks"]
        assert (task["status"], task["request_id"]) == ("success", answer.headers["x-openstack-request-id"])
        assert task["input"]["import_req"] == DIRECT
        assert (await imported(door, ann, image["id"], DIRECT)).status_code == 409
        assert (await bob.get(f"{path}/tasks")).status_code == 404


@pytest.mark.parametrize("content", [RAW, a_qcow2(backing=b"/etc/passwd"), b""])
async def test_staged_bytes_that_are_not_what_they_should_be_leave_nothing(content: bytes) -> None:
    async with an_image_service() as door:
        ann = door.as_(mount=M)
        image = await an_image(ann, None, disk_format="qcow2")
        path = f"/v2/images/{image['id']}"
        assert (await ann.put(f"{path}/stage", content=content, headers=OCTETS)).status_code == 204
        assert (await imported(door, ann, image["id"], DIRECT)).status_code == 202
        found = (await ann.get(path)).json()
        assert (found["status"], found["size"], found["os_glance_failed_import"]) == ("queued", None, "file")
        assert await door.blobs.keys() == []
        (task,) = (await ann.get(f"{path}/tasks")).json()["tasks"]
        assert (task["status"], bool(task["message"])) == ("failure", True)
        again = await ann.put(f"{path}/file", content=a_qcow2(), headers=OCTETS)
        assert again.status_code == 204


async def test_deleting_an_image_removes_what_was_staged() -> None:
    async with an_image_service() as door:
        ann = door.as_(mount=M)
        image = await an_image(ann, None)
        path = f"/v2/images/{image['id']}"
        await ann.put(f"{path}/stage", content=RAW, headers=OCTETS)
        assert await door.blobs.keys() == [f"{image['id']}.staged"]
        assert (await ann.delete(path)).status_code == 204
        assert await door.blobs.keys() == []


async def test_an_image_comes_from_the_web() -> None:
    content = a_qcow2(size=2 << 20)
    async with a_web({"/good": ok(content), "/bad": ok(RAW)}) as web, an_image_service(options=FROM_HERE) as door:
        ann = door.as_(mount=M)
        image = await an_image(ann, None, disk_format="qcow2")
        path = f"/v2/images/{image['id']}"

        async def ask(url: Any) -> httpx.Response:
            return await imported(door, ann, image["id"], {"method": {"name": "web-download", "uri": url}})

        for refused in ("http://169.254.169.254/", "file:///etc/passwd", None, 3):
            answer = await ask(refused)
            assert (answer.status_code, "filtering" in answer.json()["message"]) == (400, True)
        for failing in ("/bad", "/none"):
            assert (await ask(web + failing)).status_code == 202
            assert (await ann.get(path)).json()["status"] == "queued"
        assert (await ask(f"{web}/good")).status_code == 202
        found = (await ann.get(path)).json()
        assert (found["status"], found["size"], found["virtual_size"]) == ("active", len(content), 2 << 20)
        assert (await ann.get(f"{path}/file")).content == content
        tasks = (await ann.get(f"{path}/tasks")).json()["tasks"]
        assert sorted(task["status"] for task in tasks) == ["failure", "failure", "success"]
        assert any("404" in task["message"] for task in tasks)


async def test_an_import_holds_to_the_largest_size() -> None:
    options = ImageOptions(downloads=HERE, largest_bytes=1000)
    async with a_web({"/": ok(RAW)}) as web, an_image_service(options=options) as door:
        ann = door.as_(mount=M)
        image = await an_image(ann, None)
        path = f"/v2/images/{image['id']}"
        for way in ("file", "stage"):
            assert (await ann.put(f"{path}/{way}", content=RAW, headers=OCTETS)).status_code == 413
        await imported(door, ann, image["id"], {"method": {"name": "web-download", "uri": f"{web}/"}})
        (task,) = (await ann.get(f"{path}/tasks")).json()["tasks"]
        assert "1000 bytes" in task["message"]
        assert await door.blobs.keys() == []


async def test_a_copy_to_all_stores_is_made_already_and_one_to_the_store_it_is_in_is_refused() -> None:
    async with an_image_service() as door:
        ann, root = door.as_(mount=M), door.as_("root", role="admin", mount=M)
        image = await an_image(ann)
        everywhere = {"method": {"name": "copy-image"}, "all_stores": True, "all_stores_must_succeed": False}
        assert (await imported(door, ann, image["id"], everywhere)).status_code == 403
        assert (await imported(door, root, image["id"], everywhere)).status_code == 202
        found = (await ann.get(f"/v2/images/{image['id']}")).json()
        assert (found["os_glance_importing_to_stores"], found["os_glance_failed_import"]) == ("", "")
        here = await imported(door, root, image["id"], {"method": {"name": "copy-image"}, "stores": ["file"]})
        assert (here.status_code, "already present" in here.json()["message"]) == (400, True)
        queued = await an_image(ann, None)
        assert (await imported(door, root, queued["id"], everywhere)).status_code == 409


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({}, 400),
        ({"method": "glance-direct"}, 400),
        ({"method": {}}, 400),
        ({"method": {"name": "glance-download"}}, 400),
        ({"method": {"name": ["x"]}}, 400),
        ({**DIRECT, "all_stores": "yes"}, 400),
        ({**DIRECT, "all_stores": True, "stores": ["file"]}, 400),
        ({**DIRECT, "stores": "file"}, 400),
        ({**DIRECT, "stores": ["rbd"]}, 409),
    ],
)
async def test_an_import_that_makes_no_sense_is_refused(document: Any, status: int) -> None:
    async with an_image_service() as door:
        ann = door.as_(mount=M)
        image = await an_image(ann, None)
        assert (await imported(door, ann, image["id"], document)).status_code == status


async def test_the_old_way_to_import_makes_the_image_itself() -> None:
    content = a_qcow2()
    async with a_web({"/": ok(content)}) as web, an_image_service(options=FROM_HERE) as door:
        root, ann = door.as_("root", role="admin", mount=M), door.as_(mount=M)
        asked = {
            "import_from": f"{web}/",
            "import_from_format": "qcow2",
            "image_properties": {"name": "old", "colour": "red"},
        }
        task = {"type": "import", "input": asked}
        assert (await ann.post("/v2/tasks", json=task)).status_code == 403
        made = await root.post("/v2/tasks", json=task)
        assert (made.status_code, made.headers["location"]) == (201, f"/v2/tasks/{made.json()['id']}")
        await door.executor.idle()
        found = (await root.get(f"/v2/tasks/{made.json()['id']}")).json()
        assert (found["status"], found["message"]) == ("success", "")
        image = (await root.get(f"/v2/images/{found['result']['image_id']}")).json()
        assert (image["name"], image["colour"], image["status"]) == ("old", "red", "active")
        listed = (await root.get("/v2/tasks", params={"status": "success", "limit": "1"})).json()
        assert [one["id"] for one in listed["tasks"]] == [found["id"]]
        assert "input" not in listed["tasks"][0]
        assert "next" in listed
        assert (await root.delete(f"/v2/tasks/{found['id']}")).status_code == 405
        assert (await root.get("/v2/tasks/none")).status_code == 404
        for bad in (
            {},
            {"type": "import"},
            {"type": "dance", "input": {}},
            {"type": "api_image_import", "input": {}},
            {**task, "input": {**asked, "import_from": "file:///etc/passwd"}},
            {**task, "input": {**asked, "import_from": "http://nowhere.invalid/x"}},
            {**task, "input": {**asked, "image_properties": 3}},
            {**task, "input": {**asked, "image_properties": {"disk_format": "tape"}}},
            {**task, "input": {"import_from": f"{web}/"}},
        ):
            assert (await root.post("/v2/tasks", json=bad)).status_code == 400, bad
        for params in ({"status": "x"}, {"type": "x"}, {"marker": "x"}, {"sort_key": "x"}, {"limit": "x"}):
            assert (await root.get("/v2/tasks", params=params)).status_code == 400


async def test_there_is_one_store_and_where_bytes_lie_is_private() -> None:
    async with an_image_service() as door:
        ann, root = door.as_(mount=M), door.as_("root", role="admin", mount=M)
        image = await an_image(ann)
        assert (await ann.get("/v2/info/stores")).json() == {"stores": [{"id": "file", "default": "true"}]}
        assert (await ann.get("/v2/info/stores/detail")).status_code == 403
        assert (await root.get("/v2/info/stores/detail")).json()["stores"][0]["type"] == "file"
        path = f"/v2/images/{image['id']}"
        assert (await ann.get(f"{path}/locations")).status_code == 403
        assert (await ann.post(f"{path}/locations", json={"url": "http://203.0.113.5/x"})).status_code == 409
        queued = f"/v2/images/{(await an_image(ann, None))['id']}"
        added = await ann.post(f"{queued}/locations", json={"url": "http://203.0.113.5/x"})
        assert (added.status_code, "http store" in added.json()["message"]) == (403, True)
        assert (await ann.post(f"{queued}/locations", json={})).status_code == 400
        assert (await root.delete(f"/v2/stores/file/{image['id']}")).status_code == 403
        assert (await root.delete(f"/v2/stores/tape/{image['id']}")).status_code == 409
        assert (await ann.get(f"{path}/file", params={"prefer": "file"})).content == RAW
        assert (await ann.get(f"{path}/file", params={"prefer": "tape"})).status_code == 400
        headers = {**OCTETS, "X-Image-Meta-Store": "tape"}
        assert (await ann.put(f"{queued}/file", content=RAW, headers=headers)).status_code == 400
