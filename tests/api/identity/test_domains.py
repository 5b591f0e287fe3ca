"""Domains: made, changed, and removed with all that is in them."""

import pytest

from tests.support.identity import URL, an_identity

pytestmark = pytest.mark.anyio


async def test_a_domain_shows_what_was_written() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        made = (await admin.post("/domains", {"domain": {"name": "school", "motto": "learn"}}))["domain"]
        assert made == {
            "id": made["id"],
            "name": "school",
            "description": "",
            "enabled": True,
            "tags": [],
            "options": {},
            "motto": "learn",
            "links": {"self": f"{URL}/identity/v3/domains/{made['id']}"},
        }
        assert (await admin.get(f"/domains/{made['id']}"))["domain"] == made
        assert [d["name"] for d in (await admin.get("/domains"))["domains"]] == ["Default", "school"]
        assert [d["name"] for d in (await admin.get("/domains?name=school"))["domains"]] == ["school"]
        await admin.post("/domains", {"domain": {"name": "school"}}, status=409)
        await admin.post("/domains", {"domain": {"name": ""}}, status=400)
        await admin.post("/domains", {"domain": {"name": "x", "explicit_domain_id": "no uuid"}}, status=400)
        chosen = "0123456789abcdef0123456789abcdef"
        made = await admin.post("/domains", {"domain": {"name": "chosen", "explicit_domain_id": chosen}})
        assert made["domain"]["id"] == chosen


async def test_a_domain_goes_only_when_disabled_and_takes_all_with_it() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        domain = (await admin.post("/domains", {"domain": {"name": "school"}}))["domain"]["id"]
        project = (await admin.post("/projects", {"project": {"name": "p", "domain_id": domain}}))["project"]["id"]
        child = await admin.post("/projects", {"project": {"name": "c", "domain_id": domain, "parent_id": project}})
        user = (await admin.post("/users", {"user": {"name": "u", "domain_id": domain}}))["user"]["id"]
        group = (await admin.post("/groups", {"group": {"name": "g", "domain_id": domain}}))["group"]["id"]
        role = (await admin.post("/roles", {"role": {"name": "r", "domain_id": domain}}))["role"]["id"]
        await admin.put(f"/groups/{group}/users/{user}")
        demo = cloud.ids.projects["demo"]
        await admin.put(f"/projects/{project}/groups/{group}/roles/{cloud.ids.roles['reader']}")
        await admin.put(f"/projects/{demo}/users/{user}/roles/{cloud.ids.roles['reader']}")
        refused = await admin.delete(f"/domains/{domain}", status=403)
        assert refused["error"]["message"] == "Cannot delete a domain that is enabled, please disable it first."
        await admin.patch(f"/domains/{domain}", {"domain": {"enabled": False}})
        await admin.delete(f"/domains/{domain}")
        for path in (
            f"/domains/{domain}",
            f"/projects/{project}",
            f"/projects/{child['project']['id']}",
            f"/users/{user}",
            f"/groups/{group}",
            f"/roles/{role}",
        ):
            await admin.get(path, status=404)
        left = (await admin.get(f"/role_assignments?scope.project.id={demo}"))["role_assignments"]
        assert user not in {entry["user"]["id"] for entry in left}


async def test_a_member_sees_its_own_domain() -> None:
    async with an_identity() as cloud:
        admin, demo = await cloud.as_("admin"), await cloud.as_("demo")
        other = (await admin.post("/domains", {"domain": {"name": "other"}}))["domain"]["id"]
        assert (await demo.get("/domains/default"))["domain"]["name"] == "Default"
        await demo.get(f"/domains/{other}", status=403)
        await demo.get("/domains", status=403)
        await demo.post("/domains", {"domain": {"name": "mine"}}, status=403)
        await demo.delete(f"/domains/{other}", status=403)
        await demo.patch(f"/domains/{other}", {"domain": {"enabled": False}}, status=403)
        await admin.get("/domains/none", status=404)
