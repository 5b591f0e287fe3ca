"""Sharing an image: who offers, who answers, who sees."""

import pytest

from tests.support.image import an_image, an_image_service, changed

pytestmark = pytest.mark.anyio
M = "/image"


async def test_a_shared_image_shows_once_it_is_accepted() -> None:
    async with an_image_service() as door:
        ann, bob = door.as_(mount=M), door.as_("bob", project="blue", mount=M)
        image = await an_image(ann)
        path = f"/v2/images/{image['id']}"
        assert (await bob.get(path)).status_code == 404
        shared = await ann.post(f"{path}/members", json={"member": "blue"})
        assert shared.status_code == 200
        member = shared.json()
        assert {name: member[name] for name in ("member_id", "image_id", "status", "schema")} == {
            "member_id": "blue",
            "image_id": image["id"],
            "status": "pending",
            "schema": "/v2/schemas/member",
        }
        assert (await bob.get(path)).status_code == 200
        assert (await bob.get("/v2/images")).json()["images"] == []
        pending = (await bob.get("/v2/images?member_status=pending&visibility=shared")).json()["images"]
        assert [found["id"] for found in pending] == [image["id"]]
        assert (await ann.put(f"{path}/members/blue", json={"status": "accepted"})).status_code == 403
        assert (await bob.put(f"{path}/members/blue", json={"status": "maybe"})).status_code == 400
        answered = await bob.put(f"{path}/members/blue", json={"status": "accepted"})
        assert (answered.status_code, answered.json()["status"]) == (200, "accepted")
        assert [found["id"] for found in (await bob.get("/v2/images")).json()["images"]] == [image["id"]]
        assert (await bob.delete(path)).status_code == 403
        assert (await bob.get(f"{path}/file")).status_code == 200
        assert (await ann.delete(f"{path}/members/blue")).status_code == 204
        assert (await bob.get(path)).status_code == 404


async def test_members_see_only_themselves() -> None:
    async with an_image_service() as door:
        ann = door.as_(mount=M)
        bob, eve = (door.as_(project=project, mount=M) for project in ("blue", "green"))
        image = await an_image(ann)
        path = f"/v2/images/{image['id']}/members"
        for project in ("blue", "green"):
            await ann.post(path, json={"member": project})
        assert [m["member_id"] for m in (await ann.get(path)).json()["members"]] == ["blue", "green"]
        assert [m["member_id"] for m in (await bob.get(path)).json()["members"]] == ["blue"]
        assert (await bob.get(f"{path}/blue")).status_code == 200
        assert (await bob.get(f"{path}/green")).status_code == 404
        assert (await bob.put(f"{path}/green", json={"status": "accepted"})).status_code == 404
        assert (await bob.post(path, json={"member": "grey"})).status_code == 403
        assert (await bob.delete(f"{path}/blue")).status_code == 403
        assert (await eve.get(path)).json()["schema"] == "/v2/schemas/members"


async def test_what_cannot_be_shared() -> None:
    async with an_image_service() as door:
        ann = door.as_(mount=M)
        image = await an_image(ann)
        path = f"/v2/images/{image['id']}/members"
        for body, status in (({}, 400), ({"member": ""}, 400), ({"member": 3}, 400), ([], 400)):
            assert (await ann.post(path, json=body)).status_code == status, body
        assert (await ann.post(path, json={"member": "blue"})).status_code == 200
        twice = await ann.post(path, json={"member": "blue"})
        assert twice.status_code == 409
        assert f"Member blue is duplicated for image {image['id']}" in twice.json()["message"]
        assert (await ann.get(f"{path}/grey")).status_code == 404
        assert (await ann.put(f"{path}/blue", json={})).status_code == 400
        await changed(ann, image["id"], {"op": "replace", "path": "/visibility", "value": "private"})
        assert (await ann.get(path)).status_code == 403
        assert (await ann.post(path, json={"member": "grey"})).status_code == 403
        assert (await ann.get(f"{path}/blue")).status_code == 404
