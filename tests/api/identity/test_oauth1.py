"""OAuth 1.0a: a consumer asks, a user authorizes, the consumer acts; signed by oauthlib, as Keystone's own clients do."""

from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from oauthlib.oauth1 import Client

from tests.support.identity import Caller, IdentityCloud, an_identity

pytestmark = pytest.mark.anyio

OAUTH = "/v3/OS-OAUTH1"
SIGN_IN = {"auth": {"identity": {"methods": ["oauth1"], "oauth1": {}}}}


async def _signed(
    cloud: IdentityCloud, path: str, key: dict[str, Any], *, json: Any = None, **more: Any
) -> httpx.Response:
    """A request as a consumer signs it."""
    headers = more.pop("headers", {})
    client = Client(
        key["id"], client_secret=key["secret"], timestamp=str(int(cloud.clock.now().timestamp())), nonce="abc", **more
    )
    _, made, _ = client.sign(f"{cloud.http.base_url}{path.lstrip('/')}", http_method="POST", headers=headers)
    return await cloud.http.post(path, headers=made, json=json)


def _told(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 201, answer.text
    assert answer.headers["content-type"].startswith("application/x-www-form-urlencoded")
    return {name: values[0] for name, values in parse_qs(answer.text).items()}


async def _consumer(admin: Caller) -> dict[str, Any]:
    made: dict[str, Any] = (await admin.post("/OS-OAUTH1/consumers", {"consumer": {"description": "an app"}}))[
        "consumer"
    ]
    return made


async def _access(cloud: IdentityCloud, admin: Caller, key: dict[str, Any], *roles: str) -> dict[str, str]:
    """What a consumer gets for the project admin: id and secret of an access token."""
    project = admin.token["project"]["id"]
    asked = _told(await _signed(cloud, f"{OAUTH}/request_token", key, headers={"Requested-Project-Id": project}))
    body = {"roles": [{"name": name} for name in roles]}
    verifier = (await admin.put(f"/OS-OAUTH1/authorize/{asked['oauth_token']}", body, status=200))["token"]
    given = {"resource_owner_key": asked["oauth_token"], "resource_owner_secret": asked["oauth_token_secret"]}
    answer = await _signed(cloud, f"{OAUTH}/access_token", key, **given, verifier=verifier["oauth_verifier"])
    again = await _signed(cloud, f"{OAUTH}/access_token", key, **given, verifier=verifier["oauth_verifier"])
    assert again.status_code == 404, "a request token is used once"
    found = _told(answer)
    return {"resource_owner_key": found["oauth_token"], "resource_owner_secret": found["oauth_token_secret"]}


async def test_a_consumer_is_made_changed_and_removed_and_its_secret_is_told_once() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        made = await _consumer(admin)
        assert len(made["secret"]) == 32
        path = f"/OS-OAUTH1/consumers/{made['id']}"
        shown = {name: value for name, value in made.items() if name != "secret"}
        assert (await admin.get(path))["consumer"] == shown
        assert (await admin.get("/OS-OAUTH1/consumers"))["consumers"] == [shown]
        changed = await admin.patch(path, {"consumer": {"description": "a better one", "colour": "red"}})
        assert changed["consumer"] == {**shown, "description": "a better one", "colour": "red"}
        await admin.patch(path, {"consumer": {"secret": "mine"}}, status=400)
        await (await cloud.as_("demo")).get("/OS-OAUTH1/consumers", status=403)
        await admin.delete(path)
        await admin.get(path, status=404)


async def test_an_access_token_opens_what_was_authorized_and_nothing_else() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        key = await _consumer(admin)
        access = await _access(cloud, admin, key, "reader")
        answer = await _signed(cloud, "/v3/auth/tokens", key, json=SIGN_IN, **access)
        assert answer.status_code == 201, answer.text
        token = answer.json()["token"]
        assert token["methods"] == ["oauth1"]
        assert [role["name"] for role in token["roles"]] == ["reader"]
        assert token["OS-OAUTH1"] == {"access_token_id": access["resource_owner_key"], "consumer_id": key["id"]}
        agent = Caller(cloud.http, answer.headers["x-subject-token"], token)
        assert await agent.works()
        await agent.post("/users", {"user": {"name": "mallory"}}, status=403)
        # What was delegated is not handed on, nor widened.
        other = {"auth": {"identity": {"methods": ["token"], "token": {"id": agent.secret}}}}
        assert (await cloud.http.post("/v3/auth/tokens", json=other)).status_code == 403
        user = admin.token["user"]["id"]
        shown = (await admin.get(f"/users/{user}/OS-OAUTH1/access_tokens"))["access_tokens"]
        assert [one["id"] for one in shown] == [access["resource_owner_key"]]
        assert "secret" not in str(shown)
        here = f"/users/{user}/OS-OAUTH1/access_tokens/{shown[0]['id']}"
        [role] = (await admin.get(f"{here}/roles"))["roles"]
        assert (await admin.get(f"{here}/roles/{role['id']}"))["role"]["name"] == "reader"
        assert (await admin.get(here))["access_token"]["authorizing_user_id"] == user
        await admin.get(f"/users/nobody/OS-OAUTH1/access_tokens/{shown[0]['id']}", status=404)
        # It is taken back, and so is all that was got with it.
        await admin.delete(here)
        assert not await agent.works()
        assert (await _signed(cloud, "/v3/auth/tokens", key, json=SIGN_IN, **access)).status_code == 404


async def test_all_of_a_consumer_goes_with_it() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        key = await _consumer(admin)
        access = await _access(cloud, admin, key, "member")
        answer = await _signed(cloud, "/v3/auth/tokens", key, json=SIGN_IN, **access)
        agent = Caller(cloud.http, answer.headers["x-subject-token"], answer.json()["token"])
        assert {role["name"] for role in agent.token["roles"]} == {"member", "reader"}, "implied roles come along"
        assert await agent.works()
        await admin.delete(f"/OS-OAUTH1/consumers/{key['id']}")
        assert not await agent.works()


async def test_what_is_signed_badly_or_not_authorized_opens_nothing() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        key = await _consumer(admin)
        project = {"Requested-Project-Id": admin.token["project"]["id"]}
        ask = f"{OAUTH}/request_token"
        assert (await _signed(cloud, ask, {**key, "secret": "x"}, headers=project)).status_code == 401
        assert (await _signed(cloud, ask, {**key, "id": "x"}, headers=project)).status_code == 404
        assert (await _signed(cloud, ask, key)).status_code == 400
        assert (await _signed(cloud, ask, key, headers={"Requested-Project-Id": "x"})).status_code == 404
        assert (await cloud.http.post(ask, headers=project)).status_code == 400
        asked = _told(await _signed(cloud, ask, key, headers=project))
        given = {"resource_owner_key": asked["oauth_token"], "resource_owner_secret": asked["oauth_token_secret"]}
        early = await _signed(cloud, f"{OAUTH}/access_token", key, **given, verifier="abcdefgh")
        assert early.status_code == 401
        path = f"/OS-OAUTH1/authorize/{asked['oauth_token']}"
        await admin.put(path, {"roles": []}, status=400)
        await admin.put(path, {"roles": [{"name": "nobody"}]}, status=404)
        await admin.put(path, {"roles": [{"name": "service"}]}, status=401)
        await (await cloud.as_("demo")).put(path, {"roles": [{"name": "member"}]}, status=403)
        await admin.put(path, {"roles": [{"name": "member"}]}, status=200)
        wrong = await _signed(cloud, f"{OAUTH}/access_token", key, **given, verifier="abcdefgh")
        assert wrong.status_code == 401
        assert (await cloud.http.post("/v3/auth/tokens", json=SIGN_IN)).status_code == 400


async def test_what_was_asked_for_and_what_was_had_end() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        key = await _consumer(admin)
        access = await _access(cloud, admin, key, "member")
        project = {"Requested-Project-Id": admin.token["project"]["id"]}
        asked = _told(await _signed(cloud, f"{OAUTH}/request_token", key, headers=project))
        cloud.clock.jump(hours=23)
        path = f"/OS-OAUTH1/authorize/{asked['oauth_token']}"
        await admin.put(path, {"roles": [{"name": "member"}]}, status=401)
        late = await _signed(cloud, "/v3/auth/tokens", key, json=SIGN_IN, **access)
        assert late.json()["token"]["expires_at"] == "2026-11-22T10:00:00.000000Z", "a token ends with its access token"
        cloud.clock.jump(hours=1.1)
        assert (await _signed(cloud, "/v3/auth/tokens", key, json=SIGN_IN, **access)).status_code == 401
