"""OAuth 2.0: an application credential is a client, and what it gets opens services as a bearer's token."""

from typing import Any

import httpx
import pytest

from tests.support.identity import IdentityCloud, an_identity

pytestmark = pytest.mark.anyio

TOKEN = "/v3/OS-OAUTH2/token"
GRANT = {"grant_type": "client_credentials"}


async def _client(cloud: IdentityCloud) -> dict[str, Any]:
    demo = await cloud.as_("demo")
    path = f"/users/{demo.token['user']['id']}/application_credentials"
    made: dict[str, Any] = (await demo.post(path, {"application_credential": {"name": "app"}}))[
        "application_credential"
    ]
    return made


async def test_a_client_gets_a_bearers_token_in_either_way() -> None:
    async with an_identity() as cloud:
        client = await _client(cloud)
        ways: list[dict[str, Any]] = [
            {"data": GRANT, "auth": httpx.BasicAuth(client["id"], client["secret"])},
            {"data": {**GRANT, "client_id": client["id"], "client_secret": client["secret"]}},
        ]
        for way in ways:
            answer = await cloud.http.post(TOKEN, **way)
            assert answer.status_code == 200, answer.text
            told = answer.json()
            assert (told["token_type"], told["expires_in"]) == ("Bearer", 86400)
            bearer = {"Authorization": f"Bearer {told['access_token']}"}
            found = await cloud.http.get("/v3/auth/projects", headers=bearer)
            assert [one["id"] for one in found.json()["projects"]] == [client["project_id"]]
        assert (await cloud.http.get("/v3/auth/projects", headers={"Authorization": "Bearer x"})).status_code == 401
        assert (await cloud.http.get("/v3/auth/projects", headers={"Authorization": "Basic x"})).status_code == 401


async def test_refusals_are_told_as_oauth_does() -> None:
    async with an_identity() as cloud:
        client = await _client(cloud)
        for data, auth, status, error in (
            ({}, None, 400, "invalid_request"),
            ({"grant_type": "password"}, None, 400, "unsupported_grant_type"),
            (GRANT, None, 401, "invalid_client"),
            (GRANT, httpx.BasicAuth(client["id"], "wrong"), 401, "invalid_client"),
            (GRANT, httpx.BasicAuth("nobody", "wrong"), 401, "invalid_client"),
        ):
            answer = await cloud.http.post(TOKEN, data=data, auth=auth)  # type: ignore[arg-type]
            assert (answer.status_code, answer.json()["error"]) == (status, error)
            assert ("www-authenticate" in answer.headers) == (status == 401)
        broken = await cloud.http.post(TOKEN, data=GRANT, headers={"Authorization": "Basic %%%"})
        assert broken.status_code == 401
