"""Trusts: acting for somebody, under whose name, how often, until when, and handing it on."""

from typing import Any

import httpx
import pytest

from tests.support.identity import Caller, IdentityCloud, an_identity

pytestmark = pytest.mark.anyio


async def _trust(trustor: Caller, trustee_id: str, *, status: int = 201, **fields: Any) -> dict[str, Any]:
    body = {
        "trustor_user_id": trustor.token["user"]["id"],
        "trustee_user_id": trustee_id,
        "project_id": trustor.token["project"]["id"],
        "impersonation": True,
        "roles": [{"name": "reader"}],
        **fields,
    }
    made = await trustor.post("/OS-TRUST/trusts", {"trust": body}, status=status)
    found: dict[str, Any] = made.get("trust", made)
    return found


async def _sign_in(cloud: IdentityCloud, name: str, trust_id: str) -> httpx.Response:
    user = {"name": name, "domain": {"id": "default"}, "password": "secret"}
    return await cloud.http.post(
        "/v3/auth/tokens",
        json={
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"OS-TRUST:trust": {"id": trust_id}},
            }
        },
    )


async def _agent(cloud: IdentityCloud, name: str, trust_id: str) -> Caller:
    answer = await _sign_in(cloud, name, trust_id)
    assert answer.status_code == 201, answer.text
    return Caller(cloud.http, answer.headers["x-subject-token"], answer.json()["token"])


async def _user(cloud: IdentityCloud, name: str) -> str:
    admin = await cloud.as_("admin")
    made: str = (await admin.post("/users", {"user": {"name": name, "password": "secret"}}))["user"]["id"]
    return made


async def test_a_trust_is_made_shown_and_removed() -> None:
    async with an_identity() as cloud:
        demo, agent = await cloud.as_("demo"), await _user(cloud, "agent")
        made = await _trust(demo, agent, expires_at="2026-11-22T00:00:00Z")
        assert made["expires_at"] == "2026-11-22T00:00:00.000000Z"
        assert [role["name"] for role in made["roles"]] == ["reader"]
        assert (made["redelegation_count"], made["remaining_uses"]) == (0, None)
        path = f"/OS-TRUST/trusts/{made['id']}"
        assert (await demo.get(path))["trust"] == made
        assert [role["name"] for role in (await demo.get(f"{path}/roles"))["roles"]] == ["reader"]
        reader, member = cloud.ids.roles["reader"], cloud.ids.roles["member"]
        assert (await demo.get(f"{path}/roles/{reader}"))["role"]["id"] == reader
        await demo.head(f"{path}/roles/{reader}")
        await demo.get(f"{path}/roles/{member}", status=404)
        listed = (await demo.get(f"/OS-TRUST/trusts?trustor_user_id={demo.token['user']['id']}"))["trusts"]
        assert [one["id"] for one in listed] == [made["id"]]
        assert "roles" not in listed[0]
        await demo.get(f"/OS-TRUST/trusts?trustee_user_id={agent}", status=403)
        await demo.get("/OS-TRUST/trusts", status=403)
        assert len((await (await cloud.as_("admin")).get("/OS-TRUST/trusts"))["trusts"]) == 1
        await demo.delete(path)
        await demo.get(path, status=404)


async def test_the_trustee_acts_as_the_trustor_or_as_itself() -> None:
    async with an_identity() as cloud:
        demo, agent = await cloud.as_("demo"), await _user(cloud, "agent")
        as_demo = await _agent(cloud, "agent", (await _trust(demo, agent))["id"])
        own = await _trust(demo, agent, impersonation=False)
        as_itself = await _agent(cloud, "agent", own["id"])
        assert as_demo.token["user"]["name"] == "demo"
        assert as_itself.token["user"]["name"] == "agent"
        for caller in (as_demo, as_itself):
            assert caller.token["project"]["name"] == "demo"
            assert [role["name"] for role in caller.token["roles"]] == ["reader"]
        assert as_itself.token["OS-TRUST:trust"] == {
            "id": own["id"],
            "trustor_user": {"id": demo.token["user"]["id"]},
            "trustee_user": {"id": agent},
            "impersonation": False,
        }
        again = await cloud.http.post(
            "/v3/auth/tokens", json={"auth": {"identity": {"methods": ["token"], "token": {"id": as_demo.secret}}}}
        )
        assert again.status_code == 403
        assert (await _sign_in(cloud, "agent", "nothing")).status_code == 401
        await _user(cloud, "stranger")
        assert (await _sign_in(cloud, "stranger", own["id"])).status_code == 403


async def test_it_is_used_up_and_ends() -> None:
    async with an_identity() as cloud:
        demo, agent = await cloud.as_("demo"), await _user(cloud, "agent")
        twice = await _trust(demo, agent, remaining_uses=2)
        for _ in range(2):
            await _agent(cloud, "agent", twice["id"])
        assert (await _sign_in(cloud, "agent", twice["id"])).status_code == 401
        await demo.get(f"/OS-TRUST/trusts/{twice['id']}", status=404)
        await _trust(demo, agent, remaining_uses=0, status=400)
        short = await _trust(demo, agent, expires_at="2026-11-21T10:30:00Z")
        as_demo = await _agent(cloud, "agent", short["id"])
        assert as_demo.token["expires_at"] == "2026-11-21T10:30:00.000000Z"
        cloud.clock.jump(hours=1)
        assert not await as_demo.works()
        assert (await _sign_in(cloud, "agent", short["id"])).status_code == 401


async def test_tokens_go_with_the_trust_the_trustors_role_and_password() -> None:
    async with an_identity() as cloud:
        demo, agent, admin = await cloud.as_("demo"), await _user(cloud, "agent"), await cloud.as_("admin")
        trust = await _trust(demo, agent)
        first = await _agent(cloud, "agent", trust["id"])
        await demo.delete(f"/OS-TRUST/trusts/{trust['id']}")
        assert not await first.works()
        trust = await _trust(demo, agent)
        second = await _agent(cloud, "agent", trust["id"])
        mine, project = demo.token["user"]["id"], demo.token["project"]["id"]
        grant = f"/projects/{project}/users/{mine}/roles/{cloud.ids.roles['member']}"
        await admin.delete(grant)
        assert not await second.works()
        assert (await _sign_in(cloud, "agent", trust["id"])).status_code == 403
        await admin.put(grant)
        third = await _agent(cloud, "agent", trust["id"])
        await admin.patch(f"/users/{mine}", {"user": {"password": "another"}})
        assert not await third.works()
        await admin.delete(f"/users/{agent}")
        assert (await admin.get("/OS-TRUST/trusts"))["trusts"] == []


async def test_only_what_one_has_is_entrusted() -> None:
    async with an_identity() as cloud:
        demo, agent = await cloud.as_("demo"), await _user(cloud, "agent")
        await _trust(demo, agent, roles=[{"name": "admin"}], status=404)
        await _trust(demo, agent, roles=[], status=403)
        await _trust(demo, "nobody", status=404)
        await _trust(demo, agent, trustor_user_id=agent, status=403)
        await _trust(demo, agent, project_id=cloud.ids.projects["admin"], status=404)
        await _trust(demo, agent, expires_at="bad.123Z", status=400)
        await _trust(demo, agent, expires_at="2020-01-01T00:00:00Z", status=400)


async def test_a_trust_is_handed_on_as_often_as_it_allows() -> None:
    async with an_identity() as cloud:
        demo, agent, helper = await cloud.as_("demo"), await _user(cloud, "agent"), await _user(cloud, "helper")
        first = await _trust(demo, agent, allow_redelegation=True, redelegation_count=1, roles=[{"name": "member"}])
        as_demo = await _agent(cloud, "agent", first["id"])
        second = await _trust(as_demo, helper, allow_redelegation=True, roles=[{"name": "member"}])
        assert (second["redelegated_trust_id"], second["redelegation_count"]) == (first["id"], 0)
        assert second["trustor_user_id"] == demo.token["user"]["id"]
        helping = await _agent(cloud, "helper", second["id"])
        assert helping.token["user"]["name"] == "demo"
        await _trust(helping, agent, roles=[{"name": "member"}], status=403)
        await _trust(as_demo, helper, roles=[{"name": "reader"}], status=403)
        await _trust(as_demo, helper, remaining_uses=1, roles=[{"name": "member"}], status=403)
        await _trust(demo, agent, allow_redelegation=True, redelegation_count=9, status=403)
        await _trust(demo, agent, allow_redelegation=True, remaining_uses=2, status=400)
        await demo.delete(f"/OS-TRUST/trusts/{first['id']}")
        assert not await helping.works()


async def test_programs_with_a_secret_of_their_own_manage_no_trusts() -> None:
    async with an_identity() as cloud:
        demo, agent = await cloud.as_("demo"), await _user(cloud, "agent")
        made = await demo.post(
            f"/users/{demo.token['user']['id']}/application_credentials",
            {"application_credential": {"name": "x", "unrestricted": True}},
        )
        one = made["application_credential"]
        answer = await cloud.http.post(
            "/v3/auth/tokens",
            json={
                "auth": {
                    "identity": {
                        "methods": ["application_credential"],
                        "application_credential": {"id": one["id"], "secret": one["secret"]},
                    }
                }
            },
        )
        program = Caller(cloud.http, answer.headers["x-subject-token"], answer.json()["token"])
        await _trust(program, agent, status=403)
