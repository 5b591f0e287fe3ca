"""Projects: their tree, their tags, and who may see and change them."""

from typing import Any

import pytest

from tests.support.identity import URL, Caller, an_identity

pytestmark = pytest.mark.anyio


async def _project(admin: Caller, name: str, **words: Any) -> dict[str, Any]:
    made: dict[str, Any] = (await admin.post("/projects", {"project": {"name": name, **words}}))["project"]
    return made


async def test_a_project_shows_what_was_written() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        made = await _project(admin, "maths", description="numbers", colour="blue", tags=["b", "a"])
        assert made == {
            "id": made["id"],
            "name": "maths",
            "domain_id": "default",
            "parent_id": "default",
            "description": "numbers",
            "enabled": True,
            "is_domain": False,
            "tags": ["a", "b"],
            "options": {},
            "colour": "blue",
            "links": {"self": f"{URL}/identity/v3/projects/{made['id']}"},
        }
        assert (await admin.get(f"/projects/{made['id']}"))["project"] == made
        changed = await admin.patch(f"/projects/{made['id']}", {"project": {"description": None, "name": "physics"}})
        assert (changed["project"]["description"], changed["project"]["name"]) == ("", "physics")
        await admin.delete(f"/projects/{made['id']}")
        await admin.get(f"/projects/{made['id']}", status=404)


@pytest.mark.parametrize(
    ("project", "status", "message"),
    [
        ({"description": "x"}, 400, "'name' is a required property"),
        ({"name": "x" * 65}, 400, "name"),
        ({"name": "demo"}, 409, "two projects with either the same name or same id in the same domain: name is demo"),
        ({"name": "x", "domain_id": "no-such"}, 400, "Could not find domain: no-such."),
        ({"name": "x", "parent_id": "no-such"}, 400, "Could not find project: no-such."),
        ({"name": "x", "is_domain": True, "parent_id": "default"}, 400, "only root projects are allowed"),
        ({"name": "x", "tags": ["a/b"]}, 400, "tags"),
        ({"name": "x", "tags": [str(i) for i in range(81)]}, 400, "tags"),
    ],
)
async def test_documents_that_are_refused(project: Any, status: int, message: str) -> None:
    async with an_identity() as cloud:
        answer = await (await cloud.as_("admin")).post("/projects", {"project": project}, status=status)
        assert message in answer["error"]["message"]


async def test_a_tree_is_climbed_both_ways() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        top = (await _project(admin, "top"))["id"]
        left = (await _project(admin, "left", parent_id=top))["id"]
        leaf = (await _project(admin, "leaf", parent_id=left))["id"]
        right = (await _project(admin, "right", parent_id=top))["id"]
        shown = (await admin.get(f"/projects/{leaf}?parents_as_ids"))["project"]
        assert shown["parents"] == {left: {top: {"default": None}}}
        shown = (await admin.get(f"/projects/{top}?subtree_as_ids"))["project"]
        assert shown["subtree"] == {left: {leaf: None}, right: None}
        assert (await admin.get(f"/projects/{leaf}?parents_as_list"))["project"]["parents"] == []
        for project in (top, left):
            await admin.put(f"/projects/{project}/users/{cloud.ids.users['admin']}/roles/{cloud.ids.roles['reader']}")
        listed = (await admin.get(f"/projects/{leaf}?parents_as_list"))["project"]["parents"]
        assert [entry["project"]["name"] for entry in listed] == ["left", "top"]
        listed = (await admin.get(f"/projects/{top}?subtree_as_list"))["project"]["subtree"]
        assert [entry["project"]["name"] for entry in listed] == ["left"]
        await admin.get(f"/projects/{top}?subtree_as_list&subtree_as_ids", status=400)
        assert {p["id"] for p in (await admin.get(f"/projects?parent_id={top}"))["projects"]} == {left, right}
        refused = await admin.delete(f"/projects/{top}", status=403)
        assert "since it is not a leaf in the hierarchy" in refused["error"]["message"]
        await admin.patch(f"/projects/{top}", {"project": {"enabled": False}}, status=403)
        await admin.patch(f"/projects/{leaf}", {"project": {"parent_id": top}}, status=403)
        for project in (leaf, right, left, top):
            await admin.patch(f"/projects/{project}", {"project": {"enabled": False}})
        await admin.patch(f"/projects/{leaf}", {"project": {"enabled": True}}, status=403)
        await admin.post("/projects", {"project": {"name": "new", "parent_id": top}}, status=400)


async def test_a_branch_is_five_projects_deep_and_no_deeper() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        parent = "default"
        for level in range(5):
            parent = (await _project(admin, f"level {level}", parent_id=parent))["id"]
        refused = await admin.post("/projects", {"project": {"name": "deeper", "parent_id": parent}}, status=403)
        assert refused["error"]["message"] == f"Max hierarchy depth reached for {parent} branch."


async def test_tags() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        one = (await _project(admin, "one", tags=["x"]))["id"]
        await _project(admin, "two", tags=["y", "z"])
        at = f"/projects/{one}/tags"
        await admin.put(f"{at}/fresh", status=201)
        await admin.put(f"{at}/fresh", status=400)
        await admin.get(f"{at}/fresh", status=204)
        assert (await admin.get(at))["tags"] == ["x", "fresh"]
        gone = await admin.get(f"{at}/none", status=404)
        assert gone["error"]["message"] == "Could not find project tag: none."
        await admin.put(f"{at}/a,b", status=400)
        await admin.delete(f"{at}/x")
        assert (await admin.put(at, {"tags": ["k", "j"]}, status=200))["tags"] == ["j", "k"]
        await admin.put(at, {"tags": "j"}, status=400)
        twice = await admin.put(at, {"tags": ["j", "j"]}, status=400)
        assert "has non-unique elements" in twice["error"]["message"]

        async def names(query: str) -> list[str]:
            return [project["name"] for project in (await admin.get(f"/projects?{query}"))["projects"]]

        assert await names("tags=j,k") == ["one"]
        assert await names("tags-any=j,y") == ["one", "two"]
        assert await names("tags-any=j,y&not-tags=j") == ["two"]
        assert await names("not-tags-any=j,y") == ["admin", "demo", "service"]
        await admin.delete(at)
        assert (await admin.get(at))["tags"] == []


async def test_members_see_their_project_and_no_other() -> None:
    async with an_identity() as cloud:
        demo = await cloud.as_("demo")
        own, other = cloud.ids.projects["demo"], cloud.ids.projects["admin"]
        assert (await demo.get(f"/projects/{own}"))["project"]["name"] == "demo"
        await demo.get(f"/projects/{own}/tags")
        await demo.get(f"/projects/{other}", status=403)
        await demo.get("/projects/no-such", status=403)
        await demo.get("/projects", status=403)
        await demo.post("/projects", {"project": {"name": "mine"}}, status=403)
        await demo.patch(f"/projects/{own}", {"project": {"description": "mine"}}, status=403)
        await demo.delete(f"/projects/{own}", status=403)
        await demo.put(f"/projects/{own}/tags/mine", status=403)


async def test_what_is_immutable_first_has_to_lose_that() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        at = f"/projects/{(await _project(admin, 'stone', options={'immutable': True}))['id']}"
        for body in ({"description": "x"}, {"options": {"immutable": False}, "description": "x"}):
            refused = await admin.patch(at, {"project": body}, status=403)
            assert 'Set resource option "immutable" to false first.' in refused["error"]["message"]
        await admin.delete(at, status=403)
        assert (await admin.patch(at, {"project": {"options": {"immutable": None}}}))["project"]["options"] == {}
        await admin.delete(at)


async def test_domains_are_projects_that_are_listed_only_when_asked_for() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        assert {p["name"] for p in (await admin.get("/projects"))["projects"]} == {"admin", "demo", "service"}
        assert [p["id"] for p in (await admin.get("/projects?is_domain=true"))["projects"]] == ["default"]
