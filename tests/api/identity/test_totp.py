"""One-time passwords: alone, beside a password, and as a user's own rules ask for."""

import base64
from typing import Any

import httpx
import pytest

from minicloud.core.identity.one_time_passwords import passcode
from tests.support.identity import DEMO_PASSWORD, Caller, IdentityCloud, an_identity

pytestmark = pytest.mark.anyio

SEED = base64.b32encode(b"12345678901234567890").decode()


async def _seeded(cloud: IdentityCloud) -> Caller:
    demo = await cloud.as_("demo")
    await demo.post("/credentials", {"credential": {"blob": SEED, "type": "totp", "user_id": demo.token["user"]["id"]}})
    return demo


def _code(cloud: IdentityCloud, ago: float = 0) -> str:
    found = passcode(SEED, cloud.clock.now().timestamp() - ago)
    assert found is not None
    return found


async def _sign_in(
    cloud: IdentityCloud, code: str, *, password: str | None = None, name: str = "demo"
) -> httpx.Response:
    user: dict[str, Any] = {"name": name, "domain": {"id": "default"}}
    identity: dict[str, Any] = {"methods": ["totp"], "totp": {"user": {**user, "passcode": code}}}
    if password is not None:
        identity["methods"].append("password")
        identity["password"] = {"user": {"name": "demo", "domain": {"id": "default"}, "password": password}}
    return await cloud.http.post("/v3/auth/tokens", json={"auth": {"identity": identity}})


async def test_the_passcode_of_now_or_of_just_before_opens() -> None:
    async with an_identity() as cloud:
        demo = await _seeded(cloud)
        answer = await _sign_in(cloud, _code(cloud))
        assert answer.status_code == 201, answer.text
        assert answer.json()["token"]["methods"] == ["totp"]
        assert answer.json()["token"]["user"]["id"] == demo.token["user"]["id"]
        assert (await _sign_in(cloud, _code(cloud, ago=30))).status_code == 201
        for wrong in (_code(cloud, ago=90), "", "000", "ü"):
            assert (await _sign_in(cloud, wrong)).status_code == 401
        assert (await _sign_in(cloud, _code(cloud), name="nobody")).status_code == 401


async def test_two_methods_are_of_one_user() -> None:
    async with an_identity() as cloud:
        await _seeded(cloud)
        both = await _sign_in(cloud, _code(cloud), password=DEMO_PASSWORD)
        assert both.status_code == 201
        assert set(both.json()["token"]["methods"]) == {"totp", "password"}
        assert (await _sign_in(cloud, _code(cloud), password="wrong")).status_code == 401
        assert (await _sign_in(cloud, "000000", password=DEMO_PASSWORD)).status_code == 401


async def test_a_users_own_rules_ask_for_both() -> None:
    async with an_identity() as cloud:
        demo, admin = await _seeded(cloud), await cloud.as_("admin")
        rules = {"multi_factor_auth_enabled": True, "multi_factor_auth_rules": [["password", "totp"]]}
        await admin.patch(f"/users/{demo.token['user']['id']}", {"user": {"options": rules}})
        assert (await cloud.sign_in("demo")).status_code == 401
        assert (await _sign_in(cloud, _code(cloud))).status_code == 401
        assert (await _sign_in(cloud, _code(cloud), password=DEMO_PASSWORD)).status_code == 201
