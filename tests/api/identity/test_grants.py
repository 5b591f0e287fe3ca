"""Grants on projects, domains and the system, to users and groups; and what a domain's manager may grant."""

import pytest

from tests.support.identity import an_identity

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("actor", ["user", "group"])
@pytest.mark.parametrize(
    ("place", "below"),
    [("project", False), ("project", True), ("domain", False), ("domain", True), ("system", False)],
)
async def test_a_grant_is_made_seen_and_taken_away(actor: str, place: str, below: bool) -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        group = (await admin.post("/groups", {"group": {"name": "pupils"}}))["group"]["id"]
        actor_id = cloud.ids.users["demo"] if actor == "user" else group
        role = (await admin.post("/roles", {"role": {"name": "grader"}}))["role"]["id"]
        target = {"project": f"projects/{cloud.ids.projects['service']}", "domain": "domains/default"}.get(
            place, "system"
        )
        all_ = f"/{target}/{actor}s/{actor_id}/roles"
        one = f"{all_}/{role}"
        if below:
            all_, one = f"/OS-INHERIT{all_}/inherited_to_projects", f"/OS-INHERIT{one}/inherited_to_projects"
        missing = await admin.get(one, status=404)
        assert missing["error"]["message"].startswith(
            f"Could not find role assignment with role: {role}, user or group: {actor_id}, project, domain, or system: "
        )
        await admin.put(one)
        await admin.put(one)
        await admin.get(one, status=204)
        await admin.head(one, status=204)
        assert [r["name"] for r in (await admin.get(all_))["roles"]] == ["grader"]
        await admin.delete(one)
        await admin.delete(one, status=404)
        assert (await admin.get(all_))["roles"] == []
        await admin.put(one.replace(role, "none"), status=404)
        await admin.put(one.replace(actor_id, "none"), status=404)
        demo = await cloud.as_("demo")
        for method in ("GET", "PUT", "DELETE"):
            await demo.ask(method, one, status=403)


async def test_what_is_inherited_holds_below_and_not_at_its_target() -> None:
    async with an_identity() as cloud:
        admin, demo_id = await cloud.as_("admin"), cloud.ids.users["demo"]
        domain = (await admin.post("/domains", {"domain": {"name": "school"}}))["domain"]["id"]
        top = (await admin.post("/projects", {"project": {"name": "top", "domain_id": domain}}))["project"]["id"]
        low = await admin.post("/projects", {"project": {"name": "low", "domain_id": domain, "parent_id": top}})
        low_id, reader, member = low["project"]["id"], cloud.ids.roles["reader"], cloud.ids.roles["member"]
        await admin.put(f"/OS-INHERIT/domains/{domain}/users/{demo_id}/roles/{reader}/inherited_to_projects")
        await admin.put(f"/OS-INHERIT/projects/{top}/users/{demo_id}/roles/{member}/inherited_to_projects")

        async def roles(scope: dict[str, object]) -> list[str] | int:
            user = {"id": demo_id, "password": "the demo's"}
            identity = {"methods": ["password"], "password": {"user": user}}
            answer = await cloud.http.post("/v3/auth/tokens", json={"auth": {"identity": identity, "scope": scope}})
            if answer.status_code != 201:
                return answer.status_code
            return [role["name"] for role in answer.json()["token"]["roles"]]

        assert await roles({"domain": {"id": domain}}) == 401
        assert await roles({"project": {"id": top}}) == ["reader"]
        assert await roles({"project": {"id": low_id}}) == ["member", "reader"]
        demo = await cloud.as_("demo")
        assert [p["name"] for p in (await demo.get("/auth/projects"))["projects"]] == ["demo", "low", "top"]


async def test_a_domain_manager_grants_what_is_not_above_it_within_its_domain() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        domain = (await admin.post("/domains", {"domain": {"name": "school"}}))["domain"]["id"]
        boss, pupil = [
            (await admin.post("/users", {"user": {"name": n, "domain_id": domain, "password": "secret"}}))["user"]["id"]
            for n in ("boss", "pupil")
        ]
        project = (await admin.post("/projects", {"project": {"name": "p", "domain_id": domain}}))["project"]["id"]
        await admin.put(f"/domains/{domain}/users/{boss}/roles/{cloud.ids.roles['manager']}")
        manager = await cloud.as_(user_id=boss, password="secret", domain=domain)
        for name in ("manager", "member", "reader"):
            await manager.put(f"/projects/{project}/users/{pupil}/roles/{cloud.ids.roles[name]}")
            await manager.put(f"/domains/{domain}/users/{pupil}/roles/{cloud.ids.roles[name]}")
        for name in ("admin", "service"):
            await manager.put(f"/projects/{project}/users/{pupil}/roles/{cloud.ids.roles[name]}", status=403)
        member, demo = cloud.ids.roles["member"], cloud.ids.users["demo"]
        await manager.put(f"/projects/{project}/users/{demo}/roles/{member}", status=403)
        await manager.put(f"/projects/{cloud.ids.projects['demo']}/users/{pupil}/roles/{member}", status=403)
        await manager.put(f"/system/users/{pupil}/roles/{member}", status=403)
        assert len((await manager.get(f"/projects/{project}/users/{pupil}/roles"))["roles"]) == 3
        seen = (await manager.get("/role_assignments"))["role_assignments"]
        assert {entry["user"]["id"] for entry in seen} == {boss, pupil}
        assert {role["name"] for role in (await manager.get("/roles"))["roles"]} >= {"member"}


async def test_a_role_of_another_domain_cannot_be_assigned() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        domain = (await admin.post("/domains", {"domain": {"name": "school"}}))["domain"]["id"]
        role = (await admin.post("/roles", {"role": {"name": "local", "domain_id": domain}}))["role"]["id"]
        project = cloud.ids.projects["demo"]
        refused = await admin.put(f"/projects/{project}/users/{cloud.ids.users['demo']}/roles/{role}", status=403)
        assert "must be in the same domain as the role" in refused["error"]["message"]
