"""Application credentials: what they open, what they may not, and the requests that access rules allow."""

from typing import Any

import httpx
import pytest

from tests.support.identity import Caller, IdentityCloud, an_identity

pytestmark = pytest.mark.anyio


async def _make(caller: Caller, *, status: int = 201, **fields: Any) -> dict[str, Any]:
    mine = caller.token["user"]["id"]
    body = {"application_credential": {"name": "a program", **fields}}
    made = await caller.post(f"/users/{mine}/application_credentials", body, status=status)
    found: dict[str, Any] = made.get("application_credential", made)
    return found


async def _sign_in(cloud: IdentityCloud, scope: Any = None, **method: Any) -> httpx.Response:
    auth: dict[str, Any] = {"identity": {"methods": ["application_credential"], "application_credential": method}}
    return await cloud.http.post("/v3/auth/tokens", json={"auth": auth if scope is None else {**auth, "scope": scope}})


async def _program(cloud: IdentityCloud, made: dict[str, Any]) -> Caller:
    answer = await _sign_in(cloud, id=made["id"], secret=made["secret"])
    assert answer.status_code == 201, answer.text
    return Caller(cloud.http, answer.headers["x-subject-token"], answer.json()["token"])


async def test_it_opens_its_project_with_its_roles_by_id_or_by_name() -> None:
    async with an_identity() as cloud:
        demo = await cloud.as_("demo")
        made = await _make(demo, roles=[{"name": "reader"}], description="reads")
        assert [role["name"] for role in made["roles"]] == ["reader"]
        program = await _program(cloud, made)
        token = program.token
        assert token["project"]["name"] == "demo"
        assert [role["name"] for role in token["roles"]] == ["reader"]
        assert token["application_credential"] == {"id": made["id"], "name": "a program", "restricted": True}
        user = {"name": "demo", "domain": {"id": "default"}}
        assert (await _sign_in(cloud, name="a program", user=user, secret=made["secret"])).status_code == 201
        assert (await _sign_in(cloud, name="a program", user=user, secret="wrong")).status_code == 401
        assert (await _sign_in(cloud, id="nobody", secret="x")).status_code == 401
        assert (await _sign_in(cloud, {"unscoped": {}}, id=made["id"], secret=made["secret"])).status_code == 401
        assert (await _sign_in(cloud, name="a program", secret="x")).status_code == 400
        assert (await _sign_in(cloud, secret="x")).status_code == 400


async def test_the_secret_is_told_once_and_the_list_has_no_secrets() -> None:
    async with an_identity() as cloud:
        demo = await cloud.as_("demo")
        mine = demo.token["user"]["id"]
        made = await _make(demo, secret="chosen")
        assert made["secret"] == "chosen"
        assert len((await _make(demo, name="another"))["secret"]) >= 64
        path = f"/users/{mine}/application_credentials"
        listed = (await demo.get(f"{path}?name=another"))["application_credentials"]
        assert [one["name"] for one in listed] == ["another"]
        assert "secret" not in listed[0]
        shown = (await demo.get(f"{path}/{made['id']}"))["application_credential"]
        assert shown == {key: value for key, value in made.items() if key != "secret"}
        await _make(demo, status=409)
        await demo.delete(f"{path}/{made['id']}")
        await demo.get(f"{path}/{made['id']}", status=404)
        theirs = (await cloud.as_("admin")).token["user"]["id"]
        await demo.get(f"/users/{theirs}/application_credentials/{made['id']}", status=403)


async def test_only_roles_of_the_token_are_handed_on_with_what_they_imply() -> None:
    async with an_identity() as cloud:
        demo, admin = await cloud.as_("demo"), await cloud.as_("admin")
        await _make(demo, roles=[{"name": "admin"}], status=400)
        await _make(demo, roles=[{"name": "nothing"}], status=404)
        await _make(demo, roles=[{"name": "reader", "id": "x"}], status=400)
        made = await _make(demo, roles=[{"name": "member"}])
        assert {role["name"] for role in made["roles"]} == {"member", "reader"}
        theirs = admin.token["user"]["id"]
        await demo.post(
            f"/users/{theirs}/application_credentials", {"application_credential": {"name": "x"}}, status=403
        )
        await admin.post(
            f"/users/{demo.token['user']['id']}/application_credentials",
            {"application_credential": {"name": "x"}},
            status=403,
        )
        unscoped = await cloud.as_("demo", unscoped=True)
        await _make(unscoped, status=400)


async def test_it_ends_with_its_date_its_deletion_and_the_loss_of_the_role() -> None:
    async with an_identity() as cloud:
        demo, admin = await cloud.as_("demo"), await cloud.as_("admin")
        mine, project = demo.token["user"]["id"], demo.token["project"]["id"]
        await _make(demo, expires_at="2020-01-01T00:00:00Z", status=400)
        await _make(demo, expires_at="soon", status=400)
        made = await _make(demo, expires_at="2026-11-21T11:00:00")
        assert made["expires_at"] == "2026-11-21T11:00:00.000000"
        program = await _program(cloud, made)
        assert program.token["expires_at"] == "2026-11-21T11:00:00.000000Z"
        cloud.clock.jump(hours=2)
        assert not await program.works()
        assert (await _sign_in(cloud, id=made["id"], secret=made["secret"])).status_code == 401

        second = await _make(demo, name="second")
        program = await _program(cloud, second)
        await demo.delete(f"/users/{mine}/application_credentials/{second['id']}")
        assert not await program.works()

        third = await _make(demo, name="third")
        program = await _program(cloud, third)
        await admin.delete(f"/projects/{project}/users/{mine}/roles/{cloud.ids.roles['member']}")
        assert not await program.works()
        await admin.put(f"/projects/{project}/users/{mine}/roles/{cloud.ids.roles['member']}")
        assert (await _sign_in(cloud, id=third["id"], secret=third["secret"])).status_code == 401


async def test_a_restricted_one_makes_no_other_and_neither_makes_another_token() -> None:
    async with an_identity() as cloud:
        demo = await cloud.as_("demo")
        restricted = await _program(cloud, await _make(demo))
        free = await _program(cloud, await _make(demo, name="free", unrestricted=True))
        await _make(restricted, name="x", status=403)
        assert (await _make(free, name="made by a program"))["name"] == "made by a program"
        again = await cloud.http.post(
            "/v3/auth/tokens", json={"auth": {"identity": {"methods": ["token"], "token": {"id": free.secret}}}}
        )
        assert again.status_code == 403


async def test_access_rules_allow_what_they_say_and_nothing_else() -> None:
    async with an_identity() as cloud:
        demo = await cloud.as_("demo")
        mine = demo.token["user"]["id"]
        rules = [
            {"service": "identity", "method": "GET", "path": "/v3/auth/projects"},
            {"service": "identity", "method": "GET", "path": "/identity/v3/users/*"},
            {"service": "compute", "method": "GET", "path": "/**"},
        ]
        made = await _make(demo, access_rules=rules)
        assert [{k: v for k, v in rule.items() if k != "id"} for rule in made["access_rules"]] == rules
        turned = await _make(demo, name="turned", access_rules=rules[::-1])
        assert turned["access_rules"] == made["access_rules"][::-1]
        listed = (await demo.get(f"/users/{mine}/access_rules"))["access_rules"]
        assert [rule["id"] for rule in listed] == [rule["id"] for rule in made["access_rules"]]
        program = await _program(cloud, made)
        assert program.token["application_credential"]["access_rules"] == made["access_rules"]
        await program.get("/auth/projects")
        await program.get(f"/users/{mine}")
        await program.get("/auth/catalog", status=401)
        await program.get(f"/users/{mine}/projects", status=401)
        await program.patch(f"/users/{mine}", {"user": {}}, status=401)
        assert (await program.ask("GET", "/auth/tokens", headers={"X-Subject-Token": program.secret}))["token"][
            "methods"
        ] == ["application_credential"]
        assert cloud.notes.facts("access_rule")


@pytest.mark.parametrize(
    "rule",
    [
        {"service": "compute", "method": "TRACE", "path": "/x"},
        {"service": "compute", "method": "GET", "path": "x"},
        {"service": "compute", "method": "GET"},
        {},
    ],
)
async def test_rules_that_make_no_sense_are_refused(rule: dict[str, str]) -> None:
    async with an_identity() as cloud:
        await _make(await cloud.as_("demo"), access_rules=[rule], status=400)


async def test_rules_are_shared_listed_and_stay_until_they_are_removed() -> None:
    async with an_identity() as cloud:
        demo, admin = await cloud.as_("demo"), await cloud.as_("admin")
        mine = demo.token["user"]["id"]
        rule = {"service": "compute", "method": "GET", "path": "/v2.1/servers"}
        first, second = await _make(demo, access_rules=[rule]), await _make(demo, name="b", access_rules=[rule])
        assert first["access_rules"] == second["access_rules"]
        path = f"/users/{mine}/access_rules"
        (listed,) = (await demo.get(path))["access_rules"]
        assert {key: value for key, value in listed.items() if key not in ("links", "id")} == rule
        one = f"{path}/{listed['id']}"
        assert (await demo.get(one))["access_rule"] == listed
        await demo.delete(one, status=403)
        third = await _make(demo, name="c", access_rules=[{"id": listed["id"]}])
        for made in (first, second, third):
            await demo.delete(f"/users/{mine}/application_credentials/{made['id']}")
        assert (await demo.get(path))["access_rules"] == [listed]
        await admin.get(f"/users/{admin.token['user']['id']}/access_rules/{listed['id']}", status=404)
        await demo.delete(one)
        await demo.get(one, status=404)
