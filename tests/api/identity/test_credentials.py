"""Credentials: one's own and nobody else's, and only with a token that was not delegated."""

import json

import pytest

from tests.support.identity import Caller, an_identity

pytestmark = pytest.mark.anyio


def _new(user_id: str, **more: object) -> dict[str, object]:
    return {"credential": {"blob": "a secret", "type": "cert", "user_id": user_id, **more}}


async def test_a_credential_is_made_shown_changed_and_removed() -> None:
    async with an_identity() as cloud:
        demo = await cloud.as_("demo")
        mine = demo.token["user"]["id"]
        made = (await demo.post("/credentials", _new(mine, colour="red")))["credential"]
        assert (made["blob"], made["type"], made["user_id"], made["project_id"]) == ("a secret", "cert", mine, None)
        assert made["colour"] == "red"
        path = f"/credentials/{made['id']}"
        assert (await demo.get(path))["credential"] == made
        changed = (await demo.patch(path, {"credential": {"blob": "another"}}))["credential"]
        assert changed["blob"] == "another"
        await demo.delete(path)
        await (await cloud.as_("admin")).get(path, status=404)
        await demo.get(path, status=403)


async def test_nobody_sees_or_makes_another_users() -> None:
    async with an_identity() as cloud:
        demo, admin = await cloud.as_("demo"), await cloud.as_("admin")
        theirs = admin.token["user"]["id"]
        await demo.post("/credentials", _new(theirs), status=403)
        made = (await admin.post("/credentials", _new(theirs)))["credential"]
        for method, path, body in (
            ("GET", f"/credentials/{made['id']}", None),
            ("DELETE", f"/credentials/{made['id']}", None),
            ("PATCH", f"/credentials/{made['id']}", {"credential": {"blob": "x"}}),
        ):
            await demo.ask(method, path, body, status=403)
        assert (await demo.get("/credentials"))["credentials"] == []
        assert [one["id"] for one in (await admin.get("/credentials"))["credentials"]] == [made["id"]]
        own = (await demo.post("/credentials", _new(demo.token["user"]["id"])))["credential"]
        await demo.patch(f"/credentials/{own['id']}", {"credential": {"blob": "x", "user_id": theirs}}, status=403)


async def test_the_list_is_filtered() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        mine = admin.token["user"]["id"]
        for type_ in ("cert", "totp"):
            await admin.post("/credentials", _new(mine, type=type_))
        found = (await admin.get(f"/credentials?type=totp&user_id={mine}"))["credentials"]
        assert [one["type"] for one in found] == ["totp"]
        assert (await admin.get("/credentials?user_id=nobody"))["credentials"] == []


async def test_an_ec2_credential_needs_keys_and_a_project_and_is_found_by_its_access_key() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        mine, project = admin.token["user"]["id"], admin.token["project"]["id"]
        blob = json.dumps({"access": "an access key", "secret": "a secret key"})
        await admin.post("/credentials", _new(mine, type="ec2", blob=blob), status=400)
        for bad in ("no json", "[]", "{}", '{"secret": "x"}'):
            await admin.post("/credentials", _new(mine, type="ec2", blob=bad, project_id=project), status=400)
        made = (await admin.post("/credentials", _new(mine, type="ec2", blob=blob, project_id=project)))["credential"]
        await admin.post("/credentials", _new(mine, type="ec2", blob=blob, project_id=project), status=409)
        shown = await admin.get(f"/users/{mine}/credentials/OS-EC2/an access key")
        assert shown["credential"]["secret"] == "a secret key"
        bound = json.dumps({"access": "an access key", "secret": "x", "trust_id": "t"})
        await admin.patch(f"/credentials/{made['id']}", {"credential": {"blob": bound}}, status=400)


async def test_they_go_with_their_user_and_their_project() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        user = (await admin.post("/users", {"user": {"name": "u"}}))["user"]
        project = (await admin.post("/projects", {"project": {"name": "p"}}))["project"]
        await admin.post("/credentials", _new(user["id"]))
        await admin.post("/credentials", _new(admin.token["user"]["id"], project_id=project["id"]))
        await admin.delete(f"/users/{user['id']}")
        await admin.delete(f"/projects/{project['id']}")
        assert (await admin.get("/credentials"))["credentials"] == []


async def test_a_delegated_token_sees_none() -> None:
    async with an_identity() as cloud:
        demo = await cloud.as_("demo")
        mine = demo.token["user"]["id"]
        await demo.post("/credentials", _new(mine))
        made = await demo.post(f"/users/{mine}/application_credentials", {"application_credential": {"name": "x"}})
        one = made["application_credential"]
        method = {"id": one["id"], "secret": one["secret"]}
        answer = await cloud.http.post(
            "/v3/auth/tokens",
            json={"auth": {"identity": {"methods": ["application_credential"], "application_credential": method}}},
        )
        program = Caller(cloud.http, answer.headers["x-subject-token"], answer.json()["token"])
        assert (await program.get("/credentials"))["credentials"] == []
        await program.post("/credentials", _new(mine), status=403)
