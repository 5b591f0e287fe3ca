"""The image cache: administrators say which images the hosts shall have, and see which have come."""

import pytest

from tests.support.image import an_image, an_image_service

pytestmark = pytest.mark.anyio
M = "/image"


async def test_an_image_is_queued_comes_and_is_forgotten() -> None:
    async with an_image_service() as door:
        ann, root = door.as_(mount=M), door.as_("root", role="admin", mount=M)
        assert (await ann.get("/v2/cache")).status_code == 403
        image, empty = await an_image(root), await an_image(root, None)
        assert (await root.put("/v2/cache/none")).status_code == 404
        assert (await root.put(f"/v2/cache/{empty['id']}")).status_code == 400
        assert (await root.put(f"/v2/cache/{image['id']}")).status_code == 202
        assert (await root.put(f"/v2/cache/{image['id']}")).status_code == 202
        await door.executor.idle()
        found = (await root.get("/v2/cache")).json()
        assert [one["image_id"] for one in found["cached_images"]] == [image["id"]]
        assert (found["queued_images"], found["cached_images"][0]["size"]) == ([], image["size"])
        assert (await root.get(f"/v2/cache/nodes/{image['id']}")).json() == []
        assert (await root.delete("/v2/cache", headers={"X-Image-Cache-Clear-Target": "queue"})).status_code == 204
        assert len((await root.get("/v2/cache")).json()["cached_images"]) == 1
        assert (await root.delete("/v2/cache", headers={"X-Image-Cache-Clear-Target": "x"})).status_code == 400
        assert (await root.delete(f"/v2/cache/{image['id']}")).status_code == 204
        assert (await root.get("/v2/cache")).json() == {"cached_images": [], "queued_images": []}
        assert (await root.delete("/v2/cache/none")).status_code == 404


async def test_deleted_images_are_in_no_cache() -> None:
    async with an_image_service() as door:
        root = door.as_("root", role="admin", mount=M)
        image = await an_image(root)
        await root.put(f"/v2/cache/{image['id']}")
        await door.executor.idle()
        await root.delete(f"/v2/images/{image['id']}")
        assert (await root.get("/v2/cache")).json()["cached_images"] == []
        assert (await root.post("/v2/cache/clean")).status_code == 200
        assert (await root.post("/v2/cache/prune")).json() == {"total_files_pruned": 0, "total_bytes_pruned": 0}
