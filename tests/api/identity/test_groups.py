"""Groups: what they show, who is in them, and what their members may do."""

import pytest

from tests.support.identity import URL, an_identity

pytestmark = pytest.mark.anyio


async def test_a_group_gives_its_members_what_is_assigned_to_it() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        made = (await admin.post("/groups", {"group": {"name": "pupils", "description": "young"}}))["group"]
        assert made == {
            "id": made["id"],
            "name": "pupils",
            "domain_id": "default",
            "description": "young",
            "links": {"self": f"{URL}/identity/v3/groups/{made['id']}"},
        }
        group, user, service = made["id"], cloud.ids.users["demo"], cloud.ids.projects["service"]
        member = f"/groups/{group}/users/{user}"
        gone = await admin.get(member, status=404)
        assert gone["error"]["message"] == f"User '{user}' not found in group '{group}'"
        await admin.put(member)
        await admin.put(member)
        await admin.get(member, status=204)
        await admin.head(member, status=204)
        assert [u["name"] for u in (await admin.get(f"/groups/{group}/users"))["users"]] == ["demo"]
        assert [g["name"] for g in (await admin.get(f"/users/{user}/groups"))["groups"]] == ["pupils"]
        await admin.put(f"/projects/{service}/groups/{group}/roles/{cloud.ids.roles['manager']}")
        demo = await cloud.as_("demo", project="service")
        assert {role["name"] for role in demo.token["roles"]} == {"manager", "member", "reader"}
        await admin.delete(member)
        assert not await demo.works()
        assert (await cloud.sign_in("demo", project="service")).status_code == 401
        await admin.put(member)
        demo = await cloud.as_("demo", project="service")
        await admin.delete(f"/groups/{group}")
        assert not await demo.works()
        await admin.get(f"/groups/{group}", status=404)


async def test_documents_and_people_that_are_refused() -> None:
    async with an_identity() as cloud:
        admin, demo = await cloud.as_("admin"), await cloud.as_("demo")
        group = (await admin.post("/groups", {"group": {"name": "pupils"}}))["group"]["id"]
        await admin.post("/groups", {"group": {"name": "pupils"}}, status=409)
        await admin.post("/groups", {"group": {"description": "x"}}, status=400)
        await admin.post("/groups", {"group": {"name": "x", "domain_id": "none"}}, status=404)
        await admin.put(f"/groups/{group}/users/nobody", status=404)
        await admin.put(f"/groups/none/users/{cloud.ids.users['demo']}", status=404)
        changed = await admin.patch(f"/groups/{group}", {"group": {"description": "x"}})
        assert changed["group"]["description"] == "x"
        for method, path in (
            ("GET", "/groups"),
            ("GET", f"/groups/{group}"),
            ("DELETE", f"/groups/{group}"),
            ("GET", f"/groups/{group}/users"),
            ("PUT", f"/groups/{group}/users/{cloud.ids.users['demo']}"),
            ("DELETE", f"/groups/{group}/users/{cloud.ids.users['demo']}"),
        ):
            await demo.ask(method, path, status=403)
        assert [g["name"] for g in (await admin.get("/groups?name__startswith=pup"))["groups"]] == ["pupils"]
