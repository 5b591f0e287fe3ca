"""Signing in and asking about tokens, as Keystone answers."""

import pytest

from tests.support.identity import ADMIN_PASSWORD, URL, an_identity

pytestmark = pytest.mark.anyio


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
        assert any(note["let_in"] for note in cloud.notes.facts("sign_in"))


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
            assert answer.json() == {
                "error": {
                    "code": 401,
                    "message": "The request you have made requires authentication.",
                    "title": "Unauthorized",
                }
            }
        assert ADMIN_PASSWORD not in repr(cloud.notes.notes)
