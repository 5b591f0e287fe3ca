"""Images over HTTP: what is made, shown, changed, listed and deleted, and by whom."""

import httpx
import pytest

from minicloud.core.image.options import ImageOptions
from minicloud.core.image.protections import parse
from tests.support.image import an_image, an_image_service, changed

pytestmark = pytest.mark.anyio
M = "/image"


async def test_an_image_is_made_and_shown_with_everything_it_was_given() -> None:
    async with an_image_service() as door:
        ann = door.as_(mount=M)
        made = await ann.post(
            "/v2/images",
            json={
                "name": "web",
                "disk_format": "qcow2",
                "container_format": "bare",
                "tags": ["a", "b", "a"],
                "os_distro": "x",
            },
        )
        assert made.status_code == 201
        image = made.json()
        assert made.headers["location"].endswith(f"/image/v2/images/{image['id']}")
        assert (await ann.get(f"/v2/images/{image['id']}")).json() == image
        times = {name: image.pop(name) for name in ("created_at", "updated_at")}
        assert all(len(text) == 20 and text.endswith("Z") for text in times.values())
        assert image == {
            "id": image["id"],
            "name": "web",
            "disk_format": "qcow2",
            "container_format": "bare",
            "visibility": "shared",
            "size": None,
            "virtual_size": None,
            "status": "queued",
            "checksum": None,
            "protected": False,
            "min_ram": 0,
            "min_disk": 0,
            "owner": "red",
            "os_hidden": False,
            "os_hash_algo": None,
            "os_hash_value": None,
            "tags": ["a", "b"],
            "os_distro": "x",
            "self": f"/v2/images/{image['id']}",
            "file": f"/v2/images/{image['id']}/file",
            "schema": "/v2/schemas/image",
        }


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"name": 1}, 400, "Provided object does not match schema 'image': 1 is not of type 'null', 'string'"),
        ({"name": "x" * 256}, 400, "is too long"),
        ({"disk_format": "floppy"}, 400, "'floppy' is not one of"),
        ({"visibility": "secret"}, 400, "is not one of"),
        ({"min_disk": -1}, 400, "Invalid value '-1' for parameter 'min_disk': Cannot be a negative value"),
        ({"min_ram": 1 << 40}, 400, "Cannot be greater than"),
        ({"min_ram": True}, 400, "True is not of type 'integer'"),
        ({"colour": 3}, 400, "3 is not of type 'string'"),
        ({"x" * 256: "y"}, 400, "should not be greater than 255"),
        ({"id": "not-a-uuid"}, 400, "does not match"),
        ({"tags": "a"}, 400, "is not of type 'array'"),
        ({"tags": [1]}, 400, "1 is not of type 'string'"),
        ({"self": "/x"}, 403, "Attribute 'self' is read-only."),
        ({"status": "active"}, 403, "Attribute 'status' is read-only."),
        ({"deleted": "1"}, 403, "Attribute 'deleted' is reserved."),
        ({"os_glance_x": "1"}, 403, "Attribute 'os_glance_x' is reserved."),
        ({"owner": "blue"}, 403, "You are not permitted to create images owned by 'blue'"),
        ({"visibility": "public"}, 403, "You are not authorized to complete publicize_image action."),
        ({f"p{n}": "v" for n in range(129)}, 413, "Attempted: 129, Maximum: 128"),
        ({"tags": [f"t{n}" for n in range(129)]}, 413, "Attempted: 129, Maximum: 128"),
        ([], 400, "is not of type 'object'"),
    ],
)
async def test_a_bad_image_is_refused_with_the_reason(body: object, status: int, words: str) -> None:
    async with an_image_service() as door:
        answer = await door.as_(mount=M).post("/v2/images", json=body)
        assert (answer.status_code, words in answer.json()["message"]) == (status, True), answer.text


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html", "text/html"),
        ("*/*", "text/html"),
        ("application/json, */*", "text/html"),
        ("text/html;q=0.5, application/json", "application/json"),
        ("*/*;q=x", "application/json"),
        ("application/json", "application/json"),
        ("application/octet-stream", "application/json"),
        ("", "application/json"),
    ],
)
async def test_errors_are_pages_for_those_who_like_pages_as_much(accept: str, kind: str) -> None:
    async with an_image_service() as door:
        answer = await door.as_(mount=M).get("/v2/images/none", headers={"Accept": accept})
        assert answer.status_code == 404
        assert answer.headers["content-type"].partition(";")[0] == kind
        assert "No image found with ID none" in answer.text


async def test_an_id_is_never_used_twice() -> None:
    async with an_image_service() as door:
        ann = door.as_(mount=M)
        body = {"id": "11111111-2222-4333-8444-555555555555"}
        assert (await ann.post("/v2/images", json=body)).status_code == 201
        assert (await ann.post("/v2/images", json=body)).status_code == 409
        assert (await ann.delete(f"/v2/images/{body['id']}")).status_code == 204
        again = await ann.post("/v2/images", json=body)
        assert again.status_code == 409
        assert "already exists" in again.json()["message"]


async def test_patches_add_replace_and_remove_all_or_nothing() -> None:
    async with an_image_service() as door:
        ann = door.as_(mount=M)
        image = await an_image(ann, None, colour="red", weight="1")
        done = await changed(
            ann,
            image["id"],
            {"op": "replace", "path": "/name", "value": "new"},
            {"op": "add", "path": "/size~1class", "value": "xl"},
            {"op": "remove", "path": "/weight"},
            {"op": "replace", "path": "/colour", "value": "blue"},
            {"op": "replace", "path": "/tags", "value": ["x", "x"]},
            {"op": "replace", "path": "/visibility", "value": "private"},
        )
        assert done.status_code == 200
        found = done.json()
        assert (found["name"], found["size/class"], found["colour"], found["tags"]) == ("new", "xl", "blue", ["x"])
        assert "weight" not in found
        failed = await changed(
            ann,
            image["id"],
            {"op": "replace", "path": "/name", "value": "newer"},
            {"op": "remove", "path": "/nothing"},
        )
        assert failed.status_code == 409
        assert "Property nothing does not exist." in failed.json()["message"]
        assert (await ann.get(f"/v2/images/{image['id']}")).json()["name"] == "new"


@pytest.mark.parametrize(
    ("operation", "status", "words"),
    [
        ({"op": "replace", "path": "/id", "value": "x"}, 403, "Attribute 'id' is read-only."),
        ({"op": "replace", "path": "/status", "value": "active"}, 403, "read-only"),
        ({"op": "add", "path": "/deleted", "value": "x"}, 403, "reserved"),
        ({"op": "add", "path": "/os_glance_import_task", "value": "x"}, 403, "reserved"),
        ({"op": "remove", "path": "/name"}, 403, "Property name may not be removed."),
        ({"op": "replace", "path": "/owner", "value": "blue"}, 403, "Owner can't be updated by non admin."),
        ({"op": "add", "path": "/owner", "value": "blue"}, 403, "Owner can't be updated by non admin."),
        ({"op": "replace", "path": "/visibility", "value": "public"}, 403, "publicize_image"),
        ({"op": "replace", "path": "/locations", "value": []}, 403, "locations are invisible"),
        ({"op": "add", "path": "/locations/-", "value": {"url": "file:///etc", "metadata": {}}}, 403, "invisible"),
        ({"op": "replace", "path": "/colour", "value": "x"}, 409, "Property colour does not exist."),
        ({"op": "replace", "path": "/min_disk", "value": -1}, 400, "Cannot be a negative value"),
        ({"op": "replace", "path": "/name", "value": 3}, 400, "is not of type"),
        ({"op": "move", "path": "/name"}, 400, "Invalid operation: `move`"),
        ({"path": "/name"}, 400, "Unable to find `op`"),
        ({"op": "add", "value": "x"}, 400, "Unable to find 'path'"),
        ({"op": "add", "path": "/x"}, 400, 'requires a member named "value"'),
        ({"op": "add", "path": "x", "value": "y"}, 400, 'does not start with "/"'),
        ({"op": "add", "path": "/a//x", "value": "y"}, 400, 'contains adjacent "/"'),
        ({"op": "add", "path": "/x~2", "value": "y"}, 400, "escape sequence"),
        ({"op": "add", "path": "/x/y", "value": "y"}, 400, "Invalid JSON pointer"),
        ({"op": "add", "path": 3, "value": "y"}, 400, 'does not start with "/"'),
        ("nonsense", 400, "Operations must be JSON objects."),
    ],
)
async def test_a_bad_patch_is_refused_with_the_reason(operation: object, status: int, words: str) -> None:
    async with an_image_service() as door:
        ann = door.as_(mount=M)
        image = await an_image(ann, None)
        answer = await changed(ann, image["id"], operation)  # type: ignore[arg-type]
        assert (answer.status_code, words in answer.json()["message"]) == (status, True), answer.text


async def test_a_patch_needs_its_own_media_type() -> None:
    async with an_image_service() as door:
        ann = door.as_(mount=M)
        image = await an_image(ann, None)
        assert (await ann.request("PATCH", f"/v2/images/{image['id']}", json=[])).status_code == 415
        old = {"Content-Type": "application/openstack-images-v2.0-json-patch"}
        path = f"/v2/images/{image['id']}"
        assert (await ann.request("PATCH", path, json=[{"add": "/a", "value": "1"}], headers=old)).status_code == 200
        twice = await ann.request("PATCH", path, json=[{"add": "/a", "value": "1"}], headers=old)
        assert twice.status_code == 409
        assert "Property a already present." in twice.json()["message"]


async def test_formats_can_change_only_while_queued() -> None:
    async with an_image_service() as door:
        ann = door.as_(mount=M)
        queued = await an_image(ann, None)
        operation = {"op": "replace", "path": "/disk_format", "value": "qcow2"}
        assert (await changed(ann, queued["id"], operation)).status_code == 200
        active = await an_image(ann)
        refused = await changed(ann, active["id"], operation)
        assert refused.status_code == 403
        assert "can be only replaced for a queued image" in refused.json()["message"]


async def test_a_protected_image_stays() -> None:
    async with an_image_service() as door:
        ann = door.as_(mount=M)
        image = await an_image(ann, protected=True)
        refused = await ann.delete(f"/v2/images/{image['id']}")
        assert refused.status_code == 403
        assert f"Image {image['id']} is protected and cannot be deleted." in refused.json()["message"]
        assert await door.blobs.keys() == [image["id"]]
        await changed(ann, image["id"], {"op": "replace", "path": "/protected", "value": False})
        assert (await ann.delete(f"/v2/images/{image['id']}")).status_code == 204
        assert await door.blobs.keys() == []
        assert (await ann.get(f"/v2/images/{image['id']}")).status_code == 404
        assert (await ann.delete(f"/v2/images/{image['id']}")).status_code == 404


async def test_who_sees_what() -> None:
    async with an_image_service() as door:
        ann, bob = door.as_(mount=M), door.as_("bob", project="blue", mount=M)
        admin = door.as_("root", project="ops", role="admin", mount=M)
        images = {v: await an_image(ann, visibility=v) for v in ("private", "shared", "community")}
        images["public"] = await an_image(admin, visibility="public")
        for visibility, seen in (("private", 404), ("shared", 404), ("community", 200), ("public", 200)):
            path = f"/v2/images/{images[visibility]['id']}"
            assert (await bob.get(path)).status_code == seen, visibility
            assert (await bob.delete(path)).status_code == (403 if seen == 200 else 404), visibility
            assert (await bob.get(f"{path}/file")).status_code == seen, visibility
            assert (await admin.get(path)).status_code == 200
        reader = door.as_("eve", role="reader", mount=M)
        assert (await reader.get(f"/v2/images/{images['private']['id']}")).status_code == 200
        assert (await reader.delete(f"/v2/images/{images['private']['id']}")).status_code == 403
        assert (await reader.post("/v2/images", json={})).status_code == 403
        assert (await door.stranger(M).get("/v2/images")).status_code == 401

        async def names(http: httpx.AsyncClient, query: str = "") -> list[str]:
            listed = (await http.get(f"/v2/images{query}")).json()["images"]
            return sorted(image["visibility"] for image in listed)

        assert await names(ann) == ["community", "private", "public", "shared"]
        assert await names(bob) == ["public"]
        assert await names(bob, "?visibility=community") == ["community"]
        assert await names(bob, "?visibility=all") == ["community", "public"]
        assert await names(bob, "?visibility=private") == []
        assert await names(admin) == ["private", "public", "shared"]


async def test_listings_are_filtered() -> None:
    async with an_image_service() as door:
        ann = door.as_(mount=M)
        for n, name in enumerate(["one", "two", "three, four"]):
            await an_image(ann, bytes(512 * (n + 1)), name=name, tags=["odd"] if n % 2 == 0 else [], colour=f"c{n}")
        await an_image(ann, None, name="hidden", os_hidden=True)

        async def names(query: str) -> list[str]:
            answer = await ann.get(f"/v2/images?{query}")
            assert answer.status_code == 200, answer.text
            return [image["name"] for image in answer.json()["images"]]

        assert await names("sort=size:asc") == ["one", "two", "three, four"]
        assert await names("sort_key=size&sort_dir=desc") == ["three, four", "two", "one"]
        assert await names("sort_key=status&sort_key=size&sort_dir=asc&sort_dir=desc") == ["three, four", "two", "one"]
        assert await names("name=two") == ["two"]
        assert await names('name=in:two,"three, four"&sort=name:asc') == ["three, four", "two"]
        assert await names("size_min=600&size_max=1024") == ["two"]
        assert await names("tag=odd&sort=size:asc") == ["one", "three, four"]
        assert await names("tag=odd&tag=even") == []
        assert await names("colour=c1") == ["two"]
        assert await names("colour=c9") == []
        assert await names("status=queued") == []
        assert await names("os_hidden=true") == ["hidden"]
        assert await names("created_at=gt:2001-01-01T00:00:00Z&name=two") == ["two"]
        assert await names("created_at=lt:2001-01-01T00:00:00Z") == []
        assert await names("owner=red&name=two") == ["two"]
        assert await names("size=nonsense") == []
        assert await names("limit=0") == []


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("limit=x", "limit param must be an integer"),
        ("limit=-1", "limit param must be positive"),
        ("marker=nothing", "No image found with ID nothing"),
        ("sort_key=colour", "Invalid sort key: colour."),
        ("sort_key=name&sort_dir=up", "Invalid sort direction: up"),
        ("sort=name:asc&sort_key=name", "Old and new sorting syntax cannot be combined"),
        ("sort_key=name&sort_dir=asc&sort_dir=desc", "Number of sort dirs does not match"),
        ("visibility=secret", "Invalid visibility value: secret"),
        ("member_status=maybe", "Invalid status: maybe"),
        ("os_hidden=maybe", "Invalid value 'maybe' for 'os_hidden' filter."),
        ("protected=maybe", "Invalid value 'maybe' for 'protected' filter."),
        ("size_min=big", "Unable to filter on a range with a non-numeric value."),
        ("status=like:x", "Unable to filter by unknown operator 'like'."),
        ("created_at=soon", 'Bad "created_at" query filter format.'),
        ("created_at=near:2001-01-01T00:00:00Z", "unknown operator 'near'"),
        ('name=in:"a', "The quote is not closed."),
        ("changes-since=2001-01-01", "no longer available"),
    ],
)
async def test_a_bad_listing_is_refused_with_the_reason(query: str, words: str) -> None:
    async with an_image_service() as door:
        answer = await door.as_(mount=M).get(f"/v2/images?{query}")
        assert (answer.status_code, words in answer.json()["message"]) == (400, True), answer.text


async def test_pages_link_on() -> None:
    async with an_image_service() as door:
        ann = door.as_(mount=M)
        for n in range(5):
            await an_image(ann, None, name=f"i{n}")
        first = (await ann.get("/v2/images?limit=2&sort=name:asc")).json()
        assert [image["name"] for image in first["images"]] == ["i0", "i1"]
        assert first["first"] == "/v2/images?limit=2&sort=name%3Aasc"
        second = (await ann.get(first["next"])).json()
        assert [image["name"] for image in second["images"]] == ["i2", "i3"]
        third = (await ann.get(second["next"])).json()
        assert [image["name"] for image in third["images"]] == ["i4"]
        assert "next" not in third
        assert third["schema"] == "/v2/schemas/images"


async def test_a_deactivated_image_keeps_its_bytes_to_administrators() -> None:
    async with an_image_service() as door:
        ann, admin = door.as_(mount=M), door.as_("root", role="admin", mount=M)
        image = await an_image(ann)
        path = f"/v2/images/{image['id']}"
        assert (await ann.post(f"{path}/actions/deactivate")).status_code == 204
        assert (await ann.get(path)).json()["status"] == "deactivated"
        refused = await ann.get(f"{path}/file")
        assert refused.status_code == 403
        assert "has been deactivated" in refused.json()["message"]
        assert (await admin.get(f"{path}/file")).status_code == 200
        assert (await ann.post(f"{path}/actions/deactivate")).status_code == 204
        assert (await ann.post(f"{path}/actions/reactivate")).status_code == 204
        assert (await ann.get(f"{path}/file")).status_code == 200
        queued = await an_image(ann, None)
        assert (await ann.post(f"/v2/images/{queued['id']}/actions/deactivate")).status_code == 403


async def test_schemas_info_and_versions() -> None:
    async with an_image_service() as door:
        ann, stranger = door.as_(mount=M), door.stranger(M)
        schema = (await ann.get("/v2/schemas/image")).json()
        image = await an_image(ann)
        assert set(image) <= set(schema["properties"])
        assert schema["properties"]["status"]["readOnly"] is True
        assert (await ann.get("/v2/schemas/images")).json()["properties"]["images"]["items"] == schema
        member = (await ann.get("/v2/schemas/member")).json()
        assert member["properties"]["status"]["enum"] == ["pending", "accepted", "rejected"]
        assert (await ann.get("/v2/schemas/members")).json()["properties"]["members"]["items"] == member
        for name in ("task", "tasks"):
            assert (await ann.get(f"/v2/schemas/{name}")).json()["name"] == name
        root = await stranger.get("/")
        assert root.status_code == 300
        assert root.json()["versions"][0] == {
            "id": "v2.18",
            "status": "CURRENT",
            "links": [{"rel": "self", "href": "http://cloud.test/image/v2/"}],
        }
        assert (await stranger.get("/versions")).status_code == 200
        assert (await ann.post(f"/v2/images/{image['id']}")).status_code == 405


async def test_protected_properties_are_seen_and_changed_by_those_who_may() -> None:
    rules = "[secret.*]\ncreate = admin\nread = admin\nupdate = admin\ndelete = admin\n"
    rules += "[shown]\ncreate = admin\nread = @\nupdate = admin\ndelete = !\n"
    rules += "[.*]\ncreate = @\nread = @\nupdate = @\ndelete = @\n"
    protections = parse(rules, "roles", "the file")
    async with an_image_service(options=ImageOptions(protections=protections)) as door:
        ann, root = door.as_(mount=M), door.as_("root", role="admin", mount=M)
        refused = await ann.post("/v2/images", json={"secret_a": "1"})
        assert (refused.status_code, "reserved" in refused.json()["message"]) == (403, True)
        image = await an_image(root, owner="red", secret_a="1", shown="2", colour="red")
        path = f"/v2/images/{image['id']}"
        seen = (await ann.get(path)).json()
        assert ("secret_a" in seen, seen["shown"], seen["colour"]) == (False, "2", "red")
        tried = [
            ({"op": "replace", "path": "/secret_a", "value": "x"}, 409),
            ({"op": "remove", "path": "/secret_a"}, 409),
            ({"op": "add", "path": "/secret_a", "value": "x"}, 403),
            ({"op": "replace", "path": "/shown", "value": "x"}, 403),
            ({"op": "remove", "path": "/shown"}, 403),
            ({"op": "replace", "path": "/colour", "value": "blue"}, 200),
        ]
        assert [(await changed(ann, image["id"], operation)).status_code for operation, _ in tried] == [
            status for _, status in tried
        ]
        assert (await changed(root, image["id"], {"op": "remove", "path": "/shown"})).status_code == 403
        assert (await changed(root, image["id"], {"op": "replace", "path": "/shown", "value": "3"})).json()[
            "shown"
        ] == "3"
