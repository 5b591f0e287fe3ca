"""Users: made, changed, listed and removed, and who may do so."""

from typing import Any

import pytest

from tests.support.identity import DEMO_PASSWORD, URL, Caller, IdentityCloud, an_identity

pytestmark = pytest.mark.anyio


async def _domain_with(cloud: IdentityCloud, role: str) -> tuple[str, Caller]:
    """A domain, and somebody with a token for it who holds a role there."""
    root = await cloud.as_("admin")
    domain = (await root.post("/domains", {"domain": {"name": f"domain of {role}"}}))["domain"]["id"]
    body = {"user": {"name": role, "domain_id": domain, "password": "secret"}}
    user = (await root.post("/users", body))["user"]["id"]
    await root.put(f"/domains/{domain}/users/{user}/roles/{cloud.ids.roles[role]}")
    return domain, await cloud.as_(user_id=user, password="secret", domain=domain)


async def test_a_user_shows_what_was_written_and_never_a_password() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        project = cloud.ids.projects["demo"]
        wanted = {
            "name": " ada ",
            "password": "first",
            "email": "ada@example.org",
            "description": "first of all",
            "default_project_id": project,
            "favourite:engine": "difference",
            "options": {"ignore_password_expiry": True, "lock_password": None},
        }
        made = (await admin.post("/users", {"user": wanted}))["user"]
        assert made == {
            "id": made["id"],
            "name": "ada",
            "domain_id": "default",
            "enabled": True,
            "password_expires_at": None,
            "default_project_id": project,
            "email": "ada@example.org",
            "description": "first of all",
            "favourite_engine": "difference",
            "options": {"ignore_password_expiry": True},
            "links": {"self": f"{URL}/identity/v3/users/{made['id']}"},
        }
        assert (await admin.get(f"/users/{made['id']}"))["user"] == made
        changed = await admin.patch(f"/users/{made['id']}", {"user": {"email": "a@l.org", "default_project_id": None}})
        assert changed["user"]["email"] == "a@l.org"
        assert changed["user"]["description"] == "first of all"
        assert "default_project_id" not in changed["user"]
        await admin.delete(f"/users/{made['id']}")
        gone = await admin.get(f"/users/{made['id']}", status=404)
        assert gone["error"] == {
            "code": 404,
            "message": f"Could not find user: {made['id']}.",
            "title": "Not Found",
        }


@pytest.mark.parametrize(
    ("user", "status", "message"),
    [
        ({}, 400, "should be non-empty"),
        ({"email": "x"}, 400, "'name' is a required property"),
        ({"name": ""}, 400, "name"),
        ({"name": "  "}, 400, "name"),
        ({"name": "x" * 256}, 400, "name"),
        ({"name": 7}, 400, "name"),
        ({"name": "x", "enabled": "perhaps"}, 400, "enabled"),
        ({"name": "x", "domain_id": "no-such"}, 404, "Could not find domain: no-such."),
        ({"name": "x", "options": {"unheard": True}}, 400, "unheard"),
        (
            {"name": "x", "default_project_id": "default"},
            400,
            "User's default project ID cannot be a domain ID: default",
        ),
        ({"name": "demo"}, 409, "Duplicate entry found with name demo at domain ID default."),
    ],
)
async def test_documents_that_are_refused(user: Any, status: int, message: str) -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        answer = await admin.post("/users", {"user": user}, status=status)
        assert message in answer["error"]["message"]


async def test_ids_and_domains_do_not_change() -> None:
    async with an_identity() as cloud:
        admin, demo = await cloud.as_("admin"), cloud.ids.users["demo"]
        for user, message in (
            ({"id": "other"}, "Cannot change ID"),
            ({"domain_id": "other"}, "Cannot change Domain ID"),
        ):
            answer = await admin.patch(f"/users/{demo}", {"user": user}, status=400)
            assert answer["error"]["message"] == message
        await admin.patch(f"/users/{demo}", {"user": {"name": "admin"}}, status=409)


async def test_lists_filter_and_page() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        for name in ("u1", "u2", "u3", "v_1"):
            await admin.post("/users", {"user": {"name": name, "enabled": name != "u3"}})

        async def names(query: str) -> list[str]:
            return [user["name"] for user in (await admin.get(f"/users{query}"))["users"]]

        assert await names("") == ["admin", "demo", "u1", "u2", "u3", "v_1"]
        assert await names("?name=u2") == ["u2"]
        assert await names("?name__contains=_") == ["v_1"]
        assert await names("?name__istartswith=U") == ["u1", "u2", "u3"]
        assert await names("?name__startswith=U") == []
        assert await names("?name__contains=.") == []
        assert await names("?name__iendswith=MO") == ["demo"]
        assert await names("?name__equals=demo") == ["demo"]
        assert await names("?enabled=false") == ["u3"]
        assert await names("?domain_id=elsewhere") == []
        first = await admin.get("/users?limit=2")
        assert [user["name"] for user in first["users"]] == ["admin", "demo"]
        assert first["truncated"] is True
        path = first["links"]["next"].removeprefix(f"{URL}/identity/v3")
        second = await admin.get(path)
        assert [user["name"] for user in second["users"]] == ["u1", "u2"]
        last = await admin.get("/users?limit=6")
        assert last["links"] == {"next": None, "previous": None, "self": f"{URL}/identity/v3/users?limit=6"}
        assert "truncated" not in last
        await admin.get("/users?marker=nobody", status=404)
        await admin.get("/users?limit=few", status=400)


async def test_a_user_sees_itself_and_nobody_else() -> None:
    async with an_identity() as cloud:
        demo = await cloud.as_("demo")
        own, other = cloud.ids.users["demo"], cloud.ids.users["admin"]
        assert (await demo.get(f"/users/{own}"))["user"]["name"] == "demo"
        assert [p["name"] for p in (await demo.get(f"/users/{own}/projects"))["projects"]] == ["demo"]
        assert (await demo.get(f"/users/{own}/groups"))["groups"] == []
        refused = await demo.get(f"/users/{other}", status=403)
        assert (
            refused["error"]["message"] == "You are not authorized to perform the requested action: identity:get_user."
        )
        await demo.get("/users/nobody", status=403)
        for method, path in (
            ("GET", "/users"),
            ("GET", f"/users/{other}/projects"),
            ("GET", f"/users/{other}/groups"),
            ("DELETE", f"/users/{other}/tokens"),
            ("DELETE", f"/users/{own}"),
        ):
            await demo.ask(method, path, status=403)
        await demo.patch(f"/users/{own}", {"user": {"email": "x"}}, status=403)
        await demo.post("/users", {"user": {"name": "eve"}}, status=403)
        assert (await cloud.http.get("/v3/users")).status_code == 401


async def test_a_domain_manager_rules_its_own_domain_only() -> None:
    async with an_identity() as cloud:
        domain, manager = await _domain_with(cloud, "manager")
        made = (await manager.post("/users", {"user": {"name": "pupil", "domain_id": domain}}))["user"]
        assert made["domain_id"] == domain
        assert {user["name"] for user in (await manager.get("/users"))["users"]} == {"manager", "pupil"}
        await manager.patch(f"/users/{made['id']}", {"user": {"description": "tall"}})
        await manager.delete(f"/users/{made['id']}")
        await manager.post("/users", {"user": {"name": "pupil", "domain_id": "default"}}, status=403)
        await manager.post("/users", {"user": {"name": "pupil"}}, status=403)
        await manager.patch(f"/users/{cloud.ids.users['demo']}", {"user": {"description": "x"}}, status=403)
        await manager.get(f"/users/{cloud.ids.users['demo']}", status=403)


async def test_a_domain_reader_reads_and_changes_nothing() -> None:
    async with an_identity() as cloud:
        domain, reader = await _domain_with(cloud, "reader")
        assert [user["name"] for user in (await reader.get("/users"))["users"]] == ["reader"]
        await reader.post("/users", {"user": {"name": "pupil", "domain_id": domain}}, status=403)
        assert [d["id"] for d in (await reader.get("/domains"))["domains"]] == [domain]


async def test_whoever_knows_the_old_password_may_set_a_new_one() -> None:
    async with an_identity() as cloud:
        demo = await cloud.as_("demo")
        path = f"/v3/users/{cloud.ids.users['demo']}/password"

        async def change(old: Any, new: Any, at: str = path) -> int:
            body = {"user": {"original_password": old, "password": new}}
            return (await cloud.http.post(at, json=body)).status_code

        assert await change("wrong", "new") == 401
        assert await change(DEMO_PASSWORD, "new", "/v3/users/nobody/password") == 401
        assert await change(DEMO_PASSWORD, None) == 400
        assert await demo.works()
        assert await change(DEMO_PASSWORD, "new") == 204
        assert not await demo.works()
        assert (await cloud.sign_in("demo")).status_code == 401
        assert (await cloud.sign_in("demo", "new")).status_code == 201
        admin = await cloud.as_("admin")
        await admin.patch(f"/users/{cloud.ids.users['demo']}", {"user": {"options": {"lock_password": True}}})
        assert await change("new", "newer") == 400
        await admin.patch(f"/users/{cloud.ids.users['demo']}", {"user": {"password": None}})
        assert (await cloud.sign_in("demo", "new")).status_code == 401
