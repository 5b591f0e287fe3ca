"""Signing in and asking about tokens, as Keystone answers."""

from typing import Any

import pytest

from minicloud.api.auth import digest
from tests.support.identity import ADMIN_PASSWORD, DEMO_PASSWORD, URL, Caller, IdentityCloud, an_identity

pytestmark = pytest.mark.anyio

NOT_IN = {
    "error": {
        "code": 401,
        "message": "The request you have made requires authentication.",
        "title": "Unauthorized",
    }
}


async def test_a_project_scoped_token_tells_who_where_and_with_which_roles() -> None:
    async with an_identity() as cloud:
        answer = await cloud.sign_in("admin", project="admin")
        assert answer.status_code == 201
        secret, token = answer.headers["x-subject-token"], answer.json()["token"]
        assert len(secret) > 43
        assert token["methods"] == ["password"]
        assert token["user"] == {
            "domain": {"id": "default", "name": "Default"},
            "id": cloud.ids.users["admin"],
            "name": "admin",
            "password_expires_at": None,
        }
        assert token["project"] == {
            "domain": {"id": "default", "name": "Default"},
            "id": cloud.ids.projects["admin"],
            "name": "admin",
        }
        assert [role["name"] for role in token["roles"]] == ["admin", "manager", "member", "reader"]
        assert token["issued_at"] == "2026-11-21T10:00:00.000000Z"
        assert token["expires_at"] == "2026-11-22T10:00:00.000000Z"
        assert token["is_domain"] is False
        assert len(token["audit_ids"]) == 1
        urls = {(s["type"], s["name"]): {e["interface"]: e["url"] for e in s["endpoints"]} for s in token["catalog"]}
        assert urls[("compute", "nova")]["public"] == f"{URL}/compute/v2.1"
        assert urls[("volumev3", "cinderv3")]["internal"] == f"{URL}/volume/v3/{cloud.ids.projects['admin']}"
        assert set(urls[("identity", "keystone")]) == {"admin", "internal", "public"}
        assert set(token) == {
            *("methods", "user", "audit_ids", "expires_at", "issued_at"),
            *("project", "is_domain", "roles", "catalog"),
        }


async def test_the_database_knows_the_hash_of_a_secret_and_the_trace_knows_nothing() -> None:
    async with an_identity() as cloud:
        secret = (await cloud.sign_in("admin", project="admin")).headers["x-subject-token"]
        await cloud.sign_in("admin", "guessed")
        rows = await cloud.database.read(lambda tx: tx.all("SELECT * FROM tokens"))
        assert digest(secret) in repr(rows)
        assert secret not in repr(rows)
        for hidden in (secret, ADMIN_PASSWORD, "guessed"):
            assert hidden not in repr(cloud.notes.notes)
        assert [note["let_in"] for note in cloud.notes.facts("sign_in")] == [True, False]


async def test_wrong_password_unknown_user_and_disabled_user_are_told_alike() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        await admin.patch(f"/users/{cloud.ids.users['demo']}", {"user": {"enabled": False}})
        answers = [
            await cloud.sign_in("admin", "wrong"),
            await cloud.sign_in("nobody", "wrong"),
            await cloud.sign_in("demo"),
            await cloud.sign_in(user_id="no-such-id"),
            await cloud.sign_in("admin", project="no-such-project"),
            await cloud.sign_in("admin", project="service"),
            await cloud.sign_in("admin", domain="default"),
            await cloud.sign_in("admin", domain="nowhere"),
        ]
        for answer in answers:
            assert answer.status_code == 401
            assert answer.json() == NOT_IN
        whys = {note.get("why") for note in cloud.notes.facts("sign_in")}
        assert {"there is no such user", "the password is another one", "the user or its domain is disabled"} <= whys


async def test_each_scope_shows_itself_and_an_unscoped_token_has_no_roles() -> None:
    async with an_identity() as cloud:
        system = (await cloud.sign_in("admin", system=True)).json()["token"]
        assert system["system"] == {"all": True}
        assert {role["name"] for role in system["roles"]} == {"admin", "manager", "member", "reader"}
        assert "volumev3" in {s["type"] for s in system["catalog"]}
        assert [s["endpoints"] for s in system["catalog"] if s["type"] == "volumev3"] == [[]]
        unscoped = (await cloud.sign_in("admin")).json()["token"]
        assert set(unscoped) == {"methods", "user", "audit_ids", "expires_at", "issued_at"}
        admin = await cloud.as_("admin")
        member = (await admin.get("/roles?name=member"))["roles"][0]["id"]
        await admin.put(f"/domains/default/users/{cloud.ids.users['demo']}/roles/{member}")
        domain = (await cloud.sign_in("demo", domain="default")).json()["token"]
        assert domain["domain"] == {"id": "default", "name": "Default"}
        assert "project" not in domain
        assert "is_domain" not in domain


async def test_a_domain_is_called_by_its_name_in_any_case_and_first_by_its_very_own() -> None:
    async with an_identity() as cloud:

        async def status(domain: str) -> int:
            user = {"name": "admin", "domain": {"name": domain}, "password": ADMIN_PASSWORD}
            auth = {"identity": {"methods": ["password"], "password": {"user": user}}}
            return (await cloud.http.post("/v3/auth/tokens", json={"auth": auth})).status_code

        assert [await status(name) for name in ("Default", "default", "DEFAULT", "defaults")] == [201, 201, 201, 401]
        admin = await cloud.as_("admin")
        await admin.post("/domains", {"domain": {"name": "default"}})
        assert [await status(name) for name in ("Default", "default")] == [201, 401]


async def test_nocatalog_leaves_the_catalog_out() -> None:
    async with an_identity() as cloud:
        answer = await cloud.http.post("/v3/auth/tokens?nocatalog", json=_password("admin", ADMIN_PASSWORD, "admin"))
        assert answer.status_code == 201
        assert "catalog" not in answer.json()["token"]
        admin = await cloud.as_("admin")
        seen = await admin.ask("GET", "/auth/tokens?nocatalog=1", headers={"X-Subject-Token": admin.secret})
        assert "catalog" not in seen["token"]


async def test_the_default_project_is_the_scope_where_none_is_asked_for_and_it_is_good() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        user = f"/users/{cloud.ids.users['demo']}"
        await admin.patch(user, {"user": {"default_project_id": cloud.ids.projects["demo"]}})
        assert (await cloud.sign_in("demo")).json()["token"]["project"]["name"] == "demo"
        await admin.patch(user, {"user": {"default_project_id": cloud.ids.projects["service"]}})
        assert "project" not in (await cloud.sign_in("demo")).json()["token"]
        body = _password("demo", DEMO_PASSWORD, None)
        await admin.patch(user, {"user": {"default_project_id": cloud.ids.projects["demo"]}})
        ways: list[Any] = ["unscoped", {"unscoped": {}}]
        for unscoped in ways:
            body["auth"]["scope"] = unscoped
            assert "project" not in (await cloud.http.post("/v3/auth/tokens", json=body)).json()["token"]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({}, 400, "Expecting to find auth in request body."),
        ({"auth": {}}, 400, "Expecting to find auth in request body."),
        ({"auth": {"scope": {}}}, 400, "'identity' is a required property"),
        ({"auth": {"identity": {}}}, 400, "'methods' is a required property"),
        ({"auth": {"identity": {"methods": ["password"]}}}, 400, "Expecting to find password in identity."),
        ({"auth": {"identity": {"methods": ["magic"], "magic": {}}}}, 401, "unsupported method"),
        ({"auth": {"identity": {"methods": []}}}, 401, "requires authentication"),
        ({"auth": {"identity": {"methods": ["password"], "password": {}}}}, 400, "Expecting to find user in password."),
        (
            {"auth": {"identity": {"methods": ["password"], "password": {"user": {"password": "x"}}}}},
            400,
            "Invalid input for field identity/password/user: id or name must be present.",
        ),
        (
            {"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "admin", "password": "x"}}}}},
            400,
            "Expecting to find domain in user.",
        ),
        ({"auth": {"identity": {"methods": ["token"], "token": {}}}}, 400, "'id' is a required property"),
        ({"auth": {"identity": {"methods": ["token"], "token": {"id": "x"}}}}, 404, "Failed to validate token"),
        ({"auth": "none"}, 400, ""),
        ([], 400, ""),
    ],
)
async def test_requests_that_make_no_sense_are_told_why(body: Any, status: int, message: str) -> None:
    async with an_identity() as cloud:
        answer = await cloud.http.post("/v3/auth/tokens", json=body)
        assert answer.status_code == status, answer.text
        assert message in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("scope", "message"),
    [
        ({}, "Expecting to find system, project, domain, OS-TRUST:trust or unscoped in scope."),
        ({"project": {"id": "x"}, "domain": {"id": "x"}}, "OS-TRUST:trust or unscoped in scope."),
        ("everything", "OS-TRUST:trust or unscoped in scope."),
        ({"project": {}}, "Invalid input for field scope/project: id or name must be present."),
        ({"project": {"name": "demo"}}, "Expecting to find domain in project."),
        ({"project": {"name": "demo", "domain": {}}}, "scope/project/domain: id or name must be present."),
        ({"domain": {}}, "Invalid input for field scope/domain: id or name must be present."),
    ],
)
async def test_scopes_that_make_no_sense_are_told_why(scope: Any, message: str) -> None:
    async with an_identity() as cloud:
        body = _password("demo", DEMO_PASSWORD, None)
        body["auth"]["scope"] = scope
        answer = await cloud.http.post("/v3/auth/tokens", json=body)
        assert answer.status_code == 400, answer.text
        assert message in answer.json()["error"]["message"]


async def test_a_token_got_with_a_token_ends_with_it_and_shares_its_chain() -> None:
    async with an_identity() as cloud:
        first = await cloud.as_("demo", unscoped=True)
        cloud.clock.jump(hours=1)
        second = await _rescope(cloud, first, "demo")
        assert second.token["methods"] == ["password", "token"]
        assert second.token["expires_at"] == first.token["expires_at"]
        assert second.token["audit_ids"][1] == first.token["audit_ids"][0]
        assert second.token["audit_ids"][0] != first.token["audit_ids"][0]
        third = await _rescope(cloud, second, "demo")
        assert third.token["audit_ids"][1] == first.token["audit_ids"][0]
        assert third.token["methods"] == ["password", "token"]
        await second.ask("DELETE", "/auth/tokens", status=204, headers={"X-Subject-Token": second.secret})
        assert not await second.works()
        assert await first.works()
        assert await third.works()
        await first.ask("DELETE", "/auth/tokens", status=204, headers={"X-Subject-Token": first.secret})
        assert not await first.works()
        assert not await third.works()


async def test_cascade_false_spares_the_tokens_got_with_it() -> None:
    async with an_identity() as cloud:
        first = await cloud.as_("demo", unscoped=True)
        second = await _rescope(cloud, first, "demo")
        await first.ask("DELETE", "/auth/tokens?cascade=false", status=204, headers={"X-Subject-Token": first.secret})
        assert not await first.works()
        assert await second.works()


async def test_a_users_own_rules_may_ask_for_two_methods() -> None:
    async with an_identity() as cloud:
        admin, demo = await cloud.as_("admin"), await cloud.as_("demo", unscoped=True)
        path = f"/users/{cloud.ids.users['demo']}"

        async def rules(*wanted: list[str], enabled: bool = True) -> None:
            options = {"multi_factor_auth_rules": list(wanted), "multi_factor_auth_enabled": enabled}
            await admin.patch(path, {"user": {"options": options}})

        await rules(["password", "token"])
        assert (await cloud.sign_in("demo")).status_code == 401
        body = _password("demo", DEMO_PASSWORD, None)
        body["auth"]["identity"] |= {"methods": ["password", "token"], "token": {"id": demo.secret}}
        assert (await cloud.http.post("/v3/auth/tokens", json=body)).status_code == 201
        await rules(["password", "token"], enabled=False)
        assert (await cloud.sign_in("demo")).status_code == 201
        await rules(["palm"], ["eye"])
        assert (await cloud.sign_in("demo")).status_code == 201


async def test_a_refusal_says_where_to_sign_in() -> None:
    async with an_identity() as cloud:
        for answer in (await cloud.sign_in("admin", "wrong"), await cloud.http.get("/v3/users")):
            assert answer.headers["www-authenticate"] == f'Keystone uri="{URL}"'


async def test_a_system_token_does_not_become_a_project_token() -> None:
    async with an_identity() as cloud:
        system = await cloud.as_("admin", system=True)
        body = {
            "auth": {
                "identity": {"methods": ["token"], "token": {"id": system.secret}},
                "scope": {"project": {"id": cloud.ids.projects["admin"]}},
            }
        }
        answer = await cloud.http.post("/v3/auth/tokens", json=body)
        assert answer.status_code == 403
        assert "system-scoped token" in answer.json()["error"]["message"]


async def test_password_and_token_together_must_be_of_one_user() -> None:
    async with an_identity() as cloud:
        demo = await cloud.as_("demo", unscoped=True)
        for name, password, status in (("demo", DEMO_PASSWORD, 201), ("admin", ADMIN_PASSWORD, 401)):
            body = _password(name, password, None)
            body["auth"]["identity"]["methods"] = ["password", "token"]
            body["auth"]["identity"]["token"] = {"id": demo.secret}
            assert (await cloud.http.post("/v3/auth/tokens", json=body)).status_code == status


async def test_who_may_ask_about_whose_token() -> None:
    async with an_identity() as cloud:
        admin, demo = await cloud.as_("admin"), await cloud.as_("demo")
        other = await cloud.as_("demo", unscoped=True)
        own = await demo.ask("GET", "/auth/tokens", headers={"X-Subject-Token": demo.secret})
        assert own["token"] == demo.token
        for method, status in (("GET", 200), ("HEAD", 200)):
            await admin.ask(method, "/auth/tokens", headers={"X-Subject-Token": demo.secret}, status=status)
            await demo.ask(method, "/auth/tokens", headers={"X-Subject-Token": other.secret}, status=status)
            await demo.ask(method, "/auth/tokens", headers={"X-Subject-Token": admin.secret}, status=403)
            await admin.ask(method, "/auth/tokens", headers={"X-Subject-Token": "made up"}, status=404)
        await demo.ask("DELETE", "/auth/tokens", headers={"X-Subject-Token": admin.secret}, status=403)
        await admin.ask("GET", "/auth/tokens", status=404)
        await demo.ask("GET", "/auth/tokens", status=403)
        head = await cloud.http.head(
            "/v3/auth/tokens", headers={"X-Auth-Token": admin.secret, "X-Subject-Token": demo.secret}
        )
        assert head.headers["x-subject-token"] == demo.secret
        assert head.content == b""


async def test_the_service_role_may_validate_but_not_check() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        made = await admin.post("/users", {"user": {"name": "nova", "password": "secret"}})
        await admin.put(
            f"/projects/{cloud.ids.projects['service']}/users/{made['user']['id']}/roles/{cloud.ids.roles['service']}"
        )
        nova = await cloud.as_("nova", project="service")
        await nova.ask("GET", "/auth/tokens", headers={"X-Subject-Token": admin.secret})
        await nova.ask("HEAD", "/auth/tokens", headers={"X-Subject-Token": admin.secret}, status=403)


async def test_tokens_expire_and_a_service_may_ask_about_them_for_two_more_days() -> None:
    async with an_identity() as cloud:
        demo = await cloud.as_("demo")
        cloud.clock.jump(hours=23, minutes=59)
        assert await demo.works()
        cloud.clock.jump(minutes=2)
        assert not await demo.works()
        admin = await cloud.as_("admin")
        await admin.ask("GET", "/auth/tokens", headers={"X-Subject-Token": demo.secret}, status=404)
        seen = await admin.ask("GET", "/auth/tokens?allow_expired=1", headers={"X-Subject-Token": demo.secret})
        assert seen["token"]["user"]["name"] == "demo"
        cloud.clock.jump(days=3)
        await cloud.as_("admin")
        rows = await cloud.database.read(lambda tx: tx.all("SELECT id FROM tokens"))
        assert digest(demo.secret) not in {row[0] for row in rows}


@pytest.mark.parametrize(
    "change",
    ["disable user", "delete user", "new password", "disable project", "role away", "user tokens", "disable domain"],
)
async def test_what_a_token_stands_on_ends_it_at_once(change: str) -> None:
    async with an_identity() as cloud:
        root = await cloud.as_("admin", system=True)
        domain = (await root.post("/domains", {"domain": {"name": "school"}}))["domain"]["id"]
        project = (await root.post("/projects", {"project": {"name": "maths", "domain_id": domain}}))["project"]["id"]
        user = (await root.post("/users", {"user": {"name": "emmy", "domain_id": domain, "password": "ring"}}))["user"]
        user_id, member = user["id"], cloud.ids.roles["member"]
        await root.put(f"/projects/{project}/users/{user_id}/roles/{member}")
        body = {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": {"id": user_id, "password": "ring"}}},
                "scope": {"project": {"id": project}},
            }
        }
        answer = await cloud.http.post("/v3/auth/tokens", json=body)
        emmy = Caller(cloud.http, answer.headers["x-subject-token"], answer.json())
        assert await emmy.works()
        match change:
            case "disable user":
                await root.patch(f"/users/{user_id}", {"user": {"enabled": False}})
            case "delete user":
                await root.delete(f"/users/{user_id}")
            case "new password":
                await root.patch(f"/users/{user_id}", {"user": {"password": "field"}})
            case "disable project":
                await root.patch(f"/projects/{project}", {"project": {"enabled": False}})
            case "role away":
                await root.delete(f"/projects/{project}/users/{user_id}/roles/{member}")
            case "user tokens":
                await root.delete(f"/users/{user_id}/tokens")
            case "disable domain":
                await root.patch(f"/domains/{domain}", {"domain": {"enabled": False}})
        assert not await emmy.works()
        assert await root.works()


async def _rescope(cloud: IdentityCloud, caller: Caller, project: str) -> Caller:
    body = {
        "auth": {
            "identity": {"methods": ["token"], "token": {"id": caller.secret}},
            "scope": {"project": {"id": cloud.ids.projects[project]}},
        }
    }
    answer = await cloud.http.post("/v3/auth/tokens", json=body)
    assert answer.status_code == 201, answer.text
    return Caller(cloud.http, answer.headers["x-subject-token"], answer.json()["token"])


def _password(name: str, password: str, project: str | None) -> dict[str, Any]:
    user = {"name": name, "domain": {"id": "default"}, "password": password}
    auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
    if project is not None:
        auth["scope"] = {"project": {"name": project, "domain": {"name": "Default"}}}
    return {"auth": auth}
