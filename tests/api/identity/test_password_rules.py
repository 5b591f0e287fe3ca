"""Rules for passwords: off by default, and each of them doing what its setting says."""

from typing import Any

import pytest

from minicloud.core.identity.password_rules import PasswordRules
from tests.support.identity import DEMO_PASSWORD, IdentityCloud, an_identity

pytestmark = pytest.mark.anyio


async def _change(cloud: IdentityCloud, new: str, *, old: str = DEMO_PASSWORD, status: int = 204) -> str:
    user_id = cloud.ids.users["demo"]
    # Nobody changes a password twice in a microsecond, and history is by the time of the change.
    cloud.clock.jump(milliseconds=1)
    body = {"user": {"password": new, "original_password": old}}
    answer = await cloud.http.post(f"/v3/users/{user_id}/password", json=body)
    assert answer.status_code == status, answer.text
    return answer.text


async def _opens(cloud: IdentityCloud, password: str = DEMO_PASSWORD) -> int:
    return (await cloud.sign_in("demo", password)).status_code


def _rules(**rules: Any) -> dict[str, Any]:
    return {"rules": PasswordRules(**rules)}


async def test_by_default_one_may_guess_and_repeat() -> None:
    async with an_identity() as cloud:
        for _ in range(10):
            assert await _opens(cloud, "wrong") == 401
        assert await _opens(cloud) == 201
        await _change(cloud, DEMO_PASSWORD)


async def test_who_guesses_too_often_is_locked_out_for_a_while() -> None:
    async with an_identity(**_rules(lockout_attempts=3, lockout_seconds=600)) as cloud:
        for _ in range(2):
            assert await _opens(cloud, "wrong") == 401
        assert await _opens(cloud) == 201
        for _ in range(3):
            assert await _opens(cloud, "wrong") == 401
        answer = await cloud.sign_in("demo", DEMO_PASSWORD)
        assert answer.status_code == 401
        assert "locked" in answer.text
        await _change(cloud, "new", status=401)
        cloud.clock.jump(seconds=601)
        assert await _opens(cloud, "wrong") == 401
        assert await _opens(cloud) == 201


async def test_an_exempt_user_is_never_locked_out() -> None:
    async with an_identity(**_rules(lockout_attempts=1)) as cloud:
        admin = await cloud.as_("admin")
        options = {"ignore_lockout_failure_attempts": True}
        await admin.patch(f"/users/{cloud.ids.users['demo']}", {"user": {"options": options}})
        assert await _opens(cloud, "wrong") == 401
        assert await _opens(cloud) == 201


async def test_a_password_ends_and_its_owner_may_still_change_it() -> None:
    async with an_identity(**_rules(expires_days=30)) as cloud:
        await _change(cloud, "first")
        token = (await cloud.sign_in("demo", "first")).json()["token"]
        assert token["user"]["password_expires_at"] == "2026-12-21T10:00:00.000000"
        cloud.clock.jump(days=31)
        answer = await cloud.sign_in("demo", "first")
        assert answer.status_code == 401
        assert "expired" in answer.text
        await _change(cloud, "second", old="first")
        assert await _opens(cloud, "second") == 201


async def test_a_password_that_an_administrator_chose_is_for_the_first_use() -> None:
    async with an_identity(**_rules(change_upon_first_use=True)) as cloud:
        admin = await cloud.as_("admin")
        await admin.patch(f"/users/{cloud.ids.users['demo']}", {"user": {"password": "reset"}})
        assert await _opens(cloud, "reset") == 401
        await _change(cloud, "own", old="reset")
        assert await _opens(cloud, "own") == 201
        exempt = {"name": "x", "password": "secret", "options": {"ignore_change_password_upon_first_use": True}}
        await admin.post("/users", {"user": exempt})
        assert (await cloud.sign_in("x", "secret")).status_code == 201


async def test_the_last_passwords_are_not_chosen_again() -> None:
    async with an_identity(**_rules(unique_count=2)) as cloud:
        await _change(cloud, "one")
        await _change(cloud, "two", old="one")
        assert "identical" in await _change(cloud, "one", old="two", status=400)
        await _change(cloud, "two", old="two", status=400)
        await _change(cloud, "three", old="two")
        await _change(cloud, "one", old="three")


async def test_a_password_is_used_for_some_days_and_matches_a_pattern() -> None:
    rules = _rules(minimum_age_days=2, regex=r"^(?=.*\d).{7,}$", regex_description="seven characters, one a digit")
    async with an_identity(**rules) as cloud:
        cloud.clock.jump(days=3)
        assert "seven characters" in await _change(cloud, "short", status=400)
        await _change(cloud, "longer 1")
        assert "minimum password age" in await _change(cloud, "longer 2", old="longer 1", status=400)
        cloud.clock.jump(days=2)
        await _change(cloud, "longer 2", old="longer 1")
        admin = await cloud.as_("admin")
        await admin.post("/users", {"user": {"name": "x", "password": "short"}}, status=400)
        told = await admin.get("/domains/default/config/security_compliance")
        assert told["config"]["security_compliance"]["password_regex_description"] == "seven characters, one a digit"
        one = await admin.get("/domains/default/config/security_compliance/password_regex")
        assert one["config"] == {"password_regex": r"^(?=.*\d).{7,}$"}
        await admin.get("/domains/default/config/security_compliance/lockout", status=403)


async def test_who_has_not_been_seen_for_long_is_kept_out() -> None:
    async with an_identity(**_rules(inactive_days=90)) as cloud:
        assert await _opens(cloud) == 201
        cloud.clock.jump(days=89)
        assert await _opens(cloud) == 201
        cloud.clock.jump(days=91)
        assert await _opens(cloud) == 401
