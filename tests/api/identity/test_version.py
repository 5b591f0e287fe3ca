"""The version documents, under both mounts."""

import pytest

from tests.support.identity import URL, an_identity

pytestmark = pytest.mark.anyio


async def test_versions_are_told_to_anybody() -> None:
    async with an_identity() as cloud:
        for mount in ("/identity", ""):
            version = {
                "id": "v3.14",
                "status": "stable",
                "updated": "2020-04-07T00:00:00Z",
                "links": [{"rel": "self", "href": f"{URL}{mount}/v3/"}],
                "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
            }
            answer = await cloud.http.get(f"{URL}{mount}/")
            assert answer.status_code == 300
            assert answer.json() == {"versions": {"values": [version]}}
            assert answer.headers["location"] == f"{URL}{mount}/v3/"
            for path in ("/v3", "/v3/"):
                answer = await cloud.http.get(f"{URL}{mount}{path}")
                assert (answer.status_code, answer.json()) == (200, {"version": version})


async def test_what_is_not_there() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        missing = await admin.get("/no/such/thing", status=404)
        assert missing["error"]["code"] == 404
        await admin.ask("PATCH", "/users", {}, status=405)
        assert (await cloud.http.get("/v3/no/such/thing")).status_code == 401
