"""Tags one at a time."""

import pytest

from tests.support.image import an_image, an_image_service

pytestmark = pytest.mark.anyio


async def test_tags_come_and_go() -> None:
    async with an_image_service() as door:
        ann, bob = door.as_(mount="/image"), door.as_("bob", project="blue", mount="/image")
        image = await an_image(ann, None, tags=["a"])
        path = f"/v2/images/{image['id']}"
        assert (await ann.put(f"{path}/tags/b")).status_code == 204
        assert (await ann.put(f"{path}/tags/b")).status_code == 204
        assert (await ann.get(path)).json()["tags"] == ["a", "b"]
        assert (await ann.delete(f"{path}/tags/a")).status_code == 204
        assert (await ann.delete(f"{path}/tags/a")).status_code == 404
        assert (await ann.put(f"{path}/tags/{'x' * 256}")).status_code == 400
        assert (await bob.put(f"{path}/tags/c")).status_code == 404
        assert (await ann.get(path)).json()["tags"] == ["b"]


async def test_an_image_has_at_most_128_tags() -> None:
    async with an_image_service() as door:
        ann = door.as_(mount="/image")
        image = await an_image(ann, None, tags=[f"t{n}" for n in range(128)])
        assert (await ann.put(f"/v2/images/{image['id']}/tags/more")).status_code == 413
