"""The bytes of images: uploads whole or not at all, inspected on the way, downloads of all or a part."""

import hashlib
from collections.abc import AsyncIterator

import anyio
import pytest

from minicloud.base.errors import Failed
from minicloud.core.image import images, uploads
from minicloud.engines.blobs.memory import MemoryBlobs
from minicloud.engines.database import Transaction
from tests.support.image import OCTETS, RAW, an_image, an_image_service
from tests.support.images import a_qcow2

pytestmark = pytest.mark.anyio
M = "/image"


async def in_pieces(content: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for at in range(0, len(content), size):
        yield content[at : at + size]


async def test_what_goes_in_comes_out() -> None:
    async with an_image_service() as door:
        ann = door.as_(mount=M)
        image = await an_image(ann, None, disk_format="qcow2")
        path = f"/v2/images/{image['id']}"
        assert (await ann.get(f"{path}/file")).status_code == 204
        content = a_qcow2(size=5 << 20)
        sent = await ann.put(f"{path}/file", content=in_pieces(content), headers=OCTETS)
        assert (sent.status_code, sent.content) == (204, b"")
        found = (await ann.get(path)).json()
        assert (found["status"], found["size"], found["virtual_size"]) == ("active", len(content), 5 << 20)
        assert found["checksum"] == hashlib.md5(content).hexdigest()
        assert (found["os_hash_algo"], found["os_hash_value"]) == ("sha512", hashlib.sha512(content).hexdigest())
        got = await ann.get(f"{path}/file")
        assert got.content == content
        assert got.headers["content-type"] == "application/octet-stream"
        assert got.headers["content-length"] == str(len(content))
        assert got.headers["content-md5"] == found["checksum"]
        assert (await ann.head(f"{path}/file")).status_code == 405
        assert door.notes.facts("image_inspected") == [
            {"image": found["id"], "format": "qcow2", "virtual_size": 5 << 20, "size": len(content)}
        ]


@pytest.mark.parametrize(
    ("declared", "content", "words"),
    [
        ("qcow2", RAW, "declared as qcow2"),
        ("raw", a_qcow2(), "its content is qcow2"),
        ("qcow2", a_qcow2(backing=b"/etc/passwd"), "backing"),
        ("vmdk", b'# Disk DescriptorFile\nRW 2048 FLAT "/etc/passwd" 0\n', "descriptor"),
        ("qcow2", b"", "empty"),
        ("iso", b"", "empty"),
        ("ploop", b"WithoutFreeSpace" + RAW, "disk format 'ploop' cannot be used here"),
    ],
)
async def test_bytes_that_are_not_what_they_should_be_leave_nothing(declared: str, content: bytes, words: str) -> None:
    async with an_image_service() as door:
        ann = door.as_(mount=M)
        image = await an_image(ann, None, disk_format=declared)
        path = f"/v2/images/{image['id']}"
        sent = await ann.put(f"{path}/file", content=content, headers=OCTETS)
        assert (sent.status_code, words in sent.json()["message"]) == (415, True), sent.text
        assert (await ann.get(path)).json()["status"] == "queued"
        assert await door.blobs.keys() == []
        assert words in door.notes.facts("image_upload_abandoned")[0]["why"]


@pytest.mark.parametrize("declared", ["raw", "ami"])
async def test_a_raw_image_may_have_no_bytes_and_is_told_as_long_as_it_is(declared: str) -> None:
    async with an_image_service() as door:
        ann = door.as_(mount=M)
        for content in (b"", b"0123456789"):
            path = f"/v2/images/{(await an_image(ann, None, disk_format=declared))['id']}"
            assert (await ann.put(f"{path}/file", content=content, headers=OCTETS)).status_code == 204
            shown = (await ann.get(path)).json()
            assert [shown[name] for name in ("status", "size", "virtual_size")] == [
                "active",
                len(content),
                len(content),
            ]
            got = await ann.get(f"{path}/file")
            assert (got.status_code, got.content, got.headers["content-length"]) == (200, content, str(len(content)))


async def test_an_image_is_uploaded_once_and_only_when_it_says_what_it_is() -> None:
    async with an_image_service() as door:
        ann, bob = door.as_(mount=M), door.as_("bob", project="blue", mount=M)
        vague = (await ann.post("/v2/images", json={})).json()
        path = f"/v2/images/{vague['id']}/file"
        sent = await ann.put(path, content=RAW, headers=OCTETS)
        assert sent.status_code == 400
        assert "Properties disk_format, container_format must be set prior to saving data." in sent.json()["message"]
        assert (await ann.put(path, content=RAW)).status_code == 415
        assert (await bob.put(path, content=RAW, headers=OCTETS)).status_code == 404
        image = await an_image(ann, visibility="community")
        path = f"/v2/images/{image['id']}/file"
        again = await ann.put(path, content=RAW, headers=OCTETS)
        assert again.status_code == 409
        assert "Image status transition from active to saving is not allowed" in again.json()["message"]
        assert (await bob.put(path, content=RAW, headers=OCTETS)).status_code == 403


async def test_a_client_that_goes_away_leaves_nothing() -> None:
    async with an_image_service() as door:
        ann = door.as_(mount=M)
        image = await an_image(ann, None)

        messages = [
            {"type": "http.request", "body": RAW, "more_body": True},
            {"type": "http.disconnect"},
        ]
        told: list[object] = []

        async def receive() -> dict[str, object]:
            return messages.pop(0)

        async def send(message: object) -> None:
            told.append(message)

        headers = {**OCTETS, "X-Auth-Token": ann.headers["X-Auth-Token"]}
        scope = {
            "type": "http",
            "method": "PUT",
            "path": f"/image/v2/images/{image['id']}/file",
            "query_string": b"",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "scheme": "http",
            "server": ("cloud.test", 80),
        }
        await door.api(scope, receive, send)  # type: ignore[arg-type]
        assert told == []
        assert (await ann.get(f"/v2/images/{image['id']}")).json()["status"] == "queued"
        assert await door.blobs.keys() == []
        assert (await ann.put(f"/v2/images/{image['id']}/file", content=RAW, headers=OCTETS)).status_code == 204


async def test_an_upload_whose_caller_is_cancelled_leaves_nothing() -> None:
    async with an_image_service() as door:
        ann = door.as_(mount=M)
        image = await an_image(ann, None)

        async def endless() -> AsyncIterator[bytes]:
            while True:
                yield RAW
                await anyio.sleep(1)

        with anyio.move_on_after(10):
            await ann.put(f"/v2/images/{image['id']}/file", content=endless(), headers=OCTETS)
        assert (await ann.get(f"/v2/images/{image['id']}")).json()["status"] == "queued"
        assert await door.blobs.keys() == []


async def test_whoever_deletes_during_an_upload_wins() -> None:
    async with an_image_service() as door:
        ann = door.as_(mount=M)
        image = await an_image(ann, None)
        path = f"/v2/images/{image['id']}"

        async def slow() -> AsyncIterator[bytes]:
            yield RAW
            assert (await ann.get(path)).json()["status"] == "saving"
            assert (await ann.put(f"{path}/file", content=RAW, headers=OCTETS)).status_code == 409
            assert (await ann.delete(path)).status_code == 204
            yield RAW

        sent = await ann.put(f"{path}/file", content=slow(), headers=OCTETS)
        assert sent.status_code == 410
        assert "may have been deleted during the upload" in sent.json()["message"]
        assert await door.blobs.keys() == []


async def test_sizes_that_are_announced_are_checked() -> None:
    async with an_image_service() as door:
        ann = door.as_(mount=M)
        image = await an_image(ann, None)
        path = f"/v2/images/{image['id']}/file"
        huge = {**OCTETS, "X-Openstack-Image-Size": str(2 << 40)}
        assert (await ann.put(path, content=RAW, headers=huge)).status_code == 413
        wrong = {**OCTETS, "X-Openstack-Image-Size": "7"}
        assert (await ann.put(path, content=RAW, headers=wrong)).status_code == 400
        odd = {**OCTETS, "X-Openstack-Image-Size": "many"}
        assert (await ann.put(path, content=RAW, headers=odd)).status_code == 400
        assert (await ann.put(path, content=in_pieces(RAW), headers=OCTETS)).status_code == 204


@pytest.mark.parametrize(
    ("asked", "begin", "end"),
    [
        ("bytes=0-4", 0, 5),
        ("bytes=100-", 100, 2048),
        ("bytes=-10", 2038, 2048),
        ("bytes=-5000", 0, 2048),
        ("bytes=2040-9999", 2040, 2048),
    ],
)
async def test_a_part_of_the_bytes(asked: str, begin: int, end: int) -> None:
    async with an_image_service() as door:
        ann = door.as_(mount=M)
        image = await an_image(ann)
        got = await ann.get(f"/v2/images/{image['id']}/file", headers={"Range": asked})
        assert (got.status_code, got.content) == (206, RAW[begin:end])
        assert got.headers["content-range"] == f"bytes {begin}-{end - 1}/2048"
        assert got.headers["content-length"] == str(end - begin)


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("bytes=2048-", 416),
        ("bytes=9-3", 416),
        ("bytes=-0", 416),
        ("bytes=-", 416),
        ("lines=1-2", 416),
        ("bytes=0-1,5-6", 400),
    ],
)
async def test_a_part_that_is_not_there(asked: str, status: int) -> None:
    async with an_image_service() as door:
        ann = door.as_(mount=M)
        image = await an_image(ann)
        got = await ann.get(f"/v2/images/{image['id']}/file", headers={"Range": asked})
        assert got.status_code == status


async def test_a_lost_blob_is_told_before_the_answer_begins() -> None:
    async with an_image_service() as door:
        ann = door.as_(mount=M)
        image = await an_image(ann)
        await door.blobs.delete(image["id"])
        got = await ann.get(f"/v2/images/{image['id']}/file")
        assert got.status_code == 410
        assert "missing from the store" in got.json()["message"]


class Unwilling(MemoryBlobs):
    """A store that does not let go: as after a crash between the commit of a delete and the removal of the bytes."""

    async def delete(self, key: str) -> None:
        if key in await self.keys():
            raise Failed("the disk is away")


async def test_bytes_that_outlive_their_image_are_found() -> None:
    blobs = Unwilling()
    async with an_image_service(blobs) as door:
        ann = door.as_(mount=M)
        kept, gone = await an_image(ann), await an_image(ann)
        assert (await ann.delete(f"/v2/images/{gone['id']}")).status_code == 204
        keys = [*await blobs.keys(), "a-backup-of-somebody-else"]
        assert await door.database.read(lambda tx: uploads.leftover_blobs(tx, keys)) == [gone["id"]]
        assert kept["id"] in keys


async def test_an_upload_that_a_crash_cut_off_waits_for_another_one() -> None:
    async with an_image_service() as door:
        ann = door.as_(mount=M)
        cut, resumed = await an_image(ann, None), await an_image(ann, None)

        async def leave() -> None:
            def work(tx: Transaction) -> None:
                found = images.find_many(tx, [cut["id"], resumed["id"]])
                uploads.begin(tx, found[cut["id"]])
                uploads.begin(tx, found[resumed["id"]], upload_id="saga-1", resumes=True)

            await door.database.write(work)

        await leave()
        without = await door.database.write(uploads.recover)
        assert without == [cut["id"], f"{cut['id']}.staged"]
        assert (await ann.get(f"/v2/images/{cut['id']}")).json()["status"] == "queued"
        assert (await ann.get(f"/v2/images/{resumed['id']}")).json()["status"] == "saving"
        assert (await ann.put(f"/v2/images/{cut['id']}/file", content=RAW, headers=OCTETS)).status_code == 204
