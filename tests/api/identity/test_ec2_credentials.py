"""EC2 credentials, and the tokens that their signatures open."""

import base64
import hashlib
import hmac
from typing import Any

import msgspec
import pytest

from minicloud.core.identity.ec2_signatures import Signed, signature
from tests.support.identity import Caller, IdentityCloud, an_identity

pytestmark = pytest.mark.anyio


async def _keys(caller: Caller) -> dict[str, Any]:
    mine = caller.token["user"]["id"]
    made = await caller.post(f"/users/{mine}/credentials/OS-EC2", {"tenant_id": caller.token["project"]["id"]})
    found: dict[str, Any] = made["credential"]
    return found


def _signed(keys: dict[str, Any], timestamp: str = "2026-11-21T10:00:00Z") -> dict[str, Any]:
    params = {"SignatureVersion": "2", "Action": "DescribeInstances", "Timestamp": timestamp}
    request = Signed(access=keys["access"], host="cloud.test:80", path="/services/Cloud", params=params)
    return {**msgspec.to_builtins(request), "signature": signature(request, keys["secret"])}


async def _exchange(cloud: IdentityCloud, document: Any, *, status: int, name: str = "credentials") -> Any:
    admin = await cloud.as_("admin")
    return await admin.post("/ec2tokens", {name: document}, status=status)


async def test_keys_are_made_listed_shown_and_removed() -> None:
    async with an_identity() as cloud:
        demo = await cloud.as_("demo")
        mine = demo.token["user"]["id"]
        keys = await _keys(demo)
        assert set(keys) == {"user_id", "tenant_id", "access", "secret", "trust_id", "links"}
        assert (await demo.get(f"/users/{mine}/credentials/OS-EC2"))["credentials"] == [keys]
        path = f"/users/{mine}/credentials/OS-EC2/{keys['access']}"
        assert keys["links"]["self"].endswith(path)
        assert (await demo.get(path))["credential"] == keys
        await demo.delete(path)
        await demo.get(path, status=404)


async def test_they_are_nobody_elses_business() -> None:
    async with an_identity() as cloud:
        demo, admin = await cloud.as_("demo"), await cloud.as_("admin")
        theirs = admin.token["user"]["id"]
        keys = await _keys(admin)
        await demo.get(f"/users/{theirs}/credentials/OS-EC2", status=403)
        await demo.get(f"/users/{demo.token['user']['id']}/credentials/OS-EC2/{keys['access']}", status=403)
        await demo.delete(f"/users/{theirs}/credentials/OS-EC2/{keys['access']}", status=403)
        await demo.post(f"/users/{theirs}/credentials/OS-EC2", {"tenant_id": "x"}, status=403)
        await demo.post(f"/users/{demo.token['user']['id']}/credentials/OS-EC2", {"tenant_id": "x"}, status=404)
        await demo.post(f"/users/{demo.token['user']['id']}/credentials/OS-EC2", {}, status=400)


@pytest.mark.parametrize("name", ["credentials", "credential", "ec2Credentials"])
async def test_a_signature_opens_the_project_of_its_keys(name: str) -> None:
    async with an_identity() as cloud:
        demo = await cloud.as_("demo")
        keys = await _keys(demo)
        token = (await _exchange(cloud, _signed(keys), status=200, name=name))["token"]
        assert token["user"]["id"] == demo.token["user"]["id"]
        assert token["project"]["name"] == "demo"
        assert token["methods"] == ["ec2credential"]
        assert {role["name"] for role in token["roles"]} == {"member", "reader"}


async def test_what_is_wrong_opens_nothing() -> None:
    async with an_identity() as cloud:
        demo = await cloud.as_("demo")
        keys = await _keys(demo)
        right = _signed(keys)
        await _exchange(cloud, {**right, "signature": "wrong"}, status=401)
        await _exchange(cloud, {**right, "signature": None}, status=401)
        await _exchange(cloud, {**right, "access": "nobody"}, status=404)
        await _exchange(cloud, {**right, "params": {**right["params"], "Action": "TerminateInstances"}}, status=401)
        await _exchange(cloud, {}, status=401)
        await _exchange(cloud, {**right, "params": []}, status=400)
        await _exchange(cloud, _signed(keys, "2026-11-21T09:30:00Z"), status=401)
        await _exchange(cloud, _signed(keys, "yesterday"), status=400)
        await demo.post("/ec2tokens", {"credentials": right}, status=403)
        admin = await cloud.as_("admin")
        await admin.patch(f"/users/{demo.token['user']['id']}", {"user": {"enabled": False}})
        await _exchange(cloud, right, status=401)


async def test_a_token_of_a_signature_makes_no_other_token() -> None:
    async with an_identity() as cloud:
        keys, admin = await _keys(await cloud.as_("demo")), await cloud.as_("admin")
        answer = await cloud.http.post(
            "/v3/ec2tokens", json={"credentials": _signed(keys)}, headers={"X-Auth-Token": admin.secret}
        )
        secret = answer.headers["x-subject-token"]
        again = await cloud.http.post(
            "/v3/auth/tokens", json={"auth": {"identity": {"methods": ["token"], "token": {"id": secret}}}}
        )
        assert again.status_code == 403


async def test_a_signature_of_s3_tells_who_signed_and_gives_nobody_the_token() -> None:
    async with an_identity() as cloud:
        demo, admin = await cloud.as_("demo"), await cloud.as_("admin")
        keys = await _keys(demo)
        text = b"GET\n\n\nSat, 21 Nov 2026 10:00:00 +0000\n/bucket/photo"
        signature = base64.b64encode(hmac.digest(keys["secret"].encode(), text, hashlib.sha1)).decode()
        document = {"access": keys["access"], "token": base64.urlsafe_b64encode(text).decode(), "signature": signature}
        headers = {"X-Auth-Token": admin.secret}
        answer = await cloud.http.post("/v3/s3tokens", json={"credentials": document}, headers=headers)
        assert answer.status_code == 200
        assert "x-subject-token" not in answer.headers
        token = answer.json()["token"]
        assert (token["user"]["id"], token["project"]["name"]) == (demo.token["user"]["id"], "demo")
        await admin.post("/s3tokens", {"credentials": document | {"signature": "x"}}, status=401)
        await admin.post("/s3tokens", {"credentials": {}}, status=401)
        await admin.post("/s3tokens", {"credentials": document | {"access": "x"}}, status=404)
        await demo.post("/s3tokens", {"credentials": document}, status=403)
