"""Roles, implied ones, and those of a domain."""

import pytest

from tests.support.identity import URL, an_identity

pytestmark = pytest.mark.anyio


async def test_a_role_shows_what_was_written() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        made = (await admin.post("/roles", {"role": {"name": "grader", "level": 3}}))["role"]
        assert made == {
            "id": made["id"],
            "name": "grader",
            "domain_id": None,
            "description": None,
            "options": {},
            "level": 3,
            "links": {"self": f"{URL}/identity/v3/roles/{made['id']}"},
        }
        changed = (await admin.patch(f"/roles/{made['id']}", {"role": {"name": "marker", "description": "x"}}))["role"]
        assert (changed["name"], changed["description"]) == ("marker", "x")
        await admin.post("/roles", {"role": {"name": "marker"}}, status=409)
        await admin.post("/roles", {"role": {"name": "x", "domain_id": "none"}}, status=404)
        await admin.patch(f"/roles/{made['id']}", {"role": {"domain_id": "default"}}, status=400)
        await admin.delete(f"/roles/{made['id']}")
        gone = await admin.get(f"/roles/{made['id']}", status=404)
        assert gone["error"]["message"] == f"Could not find role: {made['id']}."


async def test_the_roles_of_the_first_start_are_immutable() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        await admin.delete(f"/roles/{cloud.ids.roles['member']}", status=403)
        await admin.patch(f"/roles/{cloud.ids.roles['admin']}", {"role": {"name": "root"}}, status=403)
        listed = (await admin.get("/roles"))["roles"]
        assert {role["name"]: role["options"] for role in listed} == {
            name: {"immutable": True} for name in ("admin", "manager", "member", "reader", "service")
        }


async def test_what_implies_what_is_told_and_changed() -> None:
    async with an_identity() as cloud:
        admin, ids = await cloud.as_("admin"), cloud.ids.roles
        listed = (await admin.get(f"/roles/{ids['manager']}/implies"))["role_inference"]
        assert listed["prior_role"]["name"] == "manager"
        assert [role["name"] for role in listed["implies"]] == ["member"]
        rules = (await admin.get("/role_inferences"))["role_inferences"]
        assert {(r["prior_role"]["name"], *(i["name"] for i in r["implies"])) for r in rules} == {
            ("admin", "manager"),
            ("manager", "member"),
            ("member", "reader"),
        }
        grader = (await admin.post("/roles", {"role": {"name": "grader"}}))["role"]["id"]
        rule = f"/roles/{ids['member']}/implies/{grader}"
        missing = await admin.get(rule, status=404)
        assert missing["error"]["message"] == f"{ids['member']} does not imply {grader}."
        made = await admin.put(rule, status=201)
        assert made["role_inference"]["implies"]["name"] == "grader"
        assert made["links"]["self"] == f"{URL}/identity/v3{rule}"
        await admin.put(rule, status=409)
        await admin.head(rule, status=204)
        demo = await cloud.as_("demo")
        assert {role["name"] for role in demo.token["roles"]} == {"member", "reader", "grader"}
        await admin.delete(rule)
        demo = await cloud.as_("demo")
        assert {role["name"] for role in demo.token["roles"]} == {"member", "reader"}
        refused = await admin.put(f"/roles/{grader}/implies/{ids['admin']}", status=403)
        assert "cannot be an implied roles" in refused["error"]["message"]


async def test_implications_may_run_in_a_circle() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        one, two = [(await admin.post("/roles", {"role": {"name": n}}))["role"]["id"] for n in ("one", "two")]
        await admin.put(f"/roles/{one}/implies/{two}", status=201)
        await admin.put(f"/roles/{two}/implies/{one}", status=201)
        await admin.put(f"/projects/{cloud.ids.projects['service']}/users/{cloud.ids.users['demo']}/roles/{one}")
        demo = await cloud.as_("demo", project="service")
        assert {role["name"] for role in demo.token["roles"]} == {"one", "two"}
        listed = await admin.get(f"/role_assignments?effective&user.id={cloud.ids.users['demo']}")
        assert {entry["role"]["id"] for entry in listed["role_assignments"]} >= {one, two}


async def test_a_role_of_a_domain_implies_but_is_in_no_token() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        local = (await admin.post("/roles", {"role": {"name": "local", "domain_id": "default"}}))["role"]["id"]
        assert "local" not in {role["name"] for role in (await admin.get("/roles"))["roles"]}
        assert [role["name"] for role in (await admin.get("/roles?domain_id=default"))["roles"]] == ["local"]
        await admin.put(f"/roles/{local}/implies/{cloud.ids.roles['reader']}", status=201)
        await admin.put(f"/roles/{cloud.ids.roles['member']}/implies/{local}", status=403)
        await admin.put(f"/projects/{cloud.ids.projects['service']}/users/{cloud.ids.users['demo']}/roles/{local}")
        demo = await cloud.as_("demo", project="service")
        assert [role["name"] for role in demo.token["roles"]] == ["reader"]
        await admin.put(f"/system/users/{cloud.ids.users['demo']}/roles/{local}", status=400)


async def test_who_may_read_and_change_roles() -> None:
    async with an_identity() as cloud:
        demo, member = await cloud.as_("demo"), cloud.ids.roles["member"]
        for method, path in (
            ("GET", "/roles"),
            ("GET", f"/roles/{member}"),
            ("GET", "/roles/none"),
            ("DELETE", f"/roles/{member}"),
            ("GET", f"/roles/{member}/implies"),
            ("GET", "/role_inferences"),
            ("PUT", f"/roles/{member}/implies/{cloud.ids.roles['service']}"),
        ):
            await demo.ask(method, path, status=403)
        await demo.post("/roles", {"role": {"name": "mine"}}, status=403)
        await demo.post("/roles", {"role": {"name": "mine", "domain_id": "default"}}, status=403)
