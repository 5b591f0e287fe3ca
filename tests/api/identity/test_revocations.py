"""What made tokens void is told to administrators and services; and what is absent says so."""

import pytest

from minicloud.api.identity.absent import EXTENSIONS
from tests.support.identity import an_identity

pytestmark = pytest.mark.anyio


async def test_revocations_are_told_from_a_moment_on() -> None:
    async with an_identity() as cloud:
        admin, demo = await cloud.as_("admin"), await cloud.as_("demo")
        assert (await admin.get("/OS-REVOKE/events"))["events"] == []
        await demo.get("/OS-REVOKE/events", status=403)
        other = await cloud.as_("demo")
        await other.ask("DELETE", "/auth/tokens", headers={"X-Subject-Token": other.secret}, status=204)
        cloud.clock.jump(hours=1)
        await admin.patch(f"/users/{cloud.ids.users['demo']}", {"user": {"enabled": False}})
        events = (await admin.get("/OS-REVOKE/events"))["events"]
        audit_id = other.token["audit_ids"][0]
        when = "2026-11-21T10:00:00.000000Z"
        told = {"issued_before": when, "revoked_at": when}
        assert {**told, "audit_id": audit_id} in events
        assert {**told, "audit_chain_id": audit_id} in events
        assert events[-1]["user_id"] == cloud.ids.users["demo"]
        later = (await admin.get("/OS-REVOKE/events?since=2026-11-21T10:30:00Z"))["events"]
        assert [event.get("user_id") for event in later] == [cloud.ids.users["demo"]]
        await admin.get("/OS-REVOKE/events?since=yesterday", status=400)


@pytest.mark.parametrize("extension", EXTENSIONS)
async def test_what_is_not_there_says_so(extension: str) -> None:
    async with an_identity() as cloud:
        demo = await cloud.as_("demo")
        for path in ("consumers", "identity_providers/x/protocols/y", "a/b/c/d/e/f"):
            answer = await demo.get(f"/{extension}/{path}", status=501)
            assert "does not have" in answer["error"]["message"]
        assert (await cloud.http.get(f"/v3/{extension}/x")).status_code == 401
