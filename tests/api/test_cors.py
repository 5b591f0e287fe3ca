"""Scripts of other sites: who is let in, what a browser is told before it asks, and that nobody is by default."""

from contextlib import AsyncExitStack

import httpx
import pytest

from minicloud.api.cors import Cors
from tests.support.clouds import URL, a_cloud

pytestmark = pytest.mark.anyio

SITE = "https://skyline.example"
ASKS = {"Origin": SITE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "X-Auth-Token"}


async def test_a_browser_may_ask_first_and_read_the_answer() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, cors_allowed_origins=f"{SITE}, https://other.example")
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app=cloud.cloud.application), base_url=URL)
        before = await http.options("/compute/v2.1/servers", headers=ASKS)
        assert before.status_code == 200
        assert before.headers["access-control-allow-origin"] == SITE
        assert before.headers["access-control-allow-methods"] == "POST"
        assert before.headers["access-control-allow-headers"] == "X-Auth-Token"
        answer = await http.get("/identity/v3", headers={"Origin": SITE})
        assert answer.headers["access-control-allow-origin"] == SITE
        assert "Origin" in answer.headers["vary"]
        assert "X-Subject-Token" in answer.headers["access-control-expose-headers"]
        for headers in (
            {**ASKS, "Origin": "https://evil.example"},
            {**ASKS, "Access-Control-Request-Method": "CONNECT"},
            {**ASKS, "Access-Control-Request-Headers": "X-Auth-Token, X-Evil"},
            {"Origin": SITE},
        ):
            refused = await http.options("/compute/v2.1/servers", headers=headers)
            assert refused.status_code == 200
            assert "access-control-allow-origin" not in refused.headers
        stranger = await http.get("/identity/v3", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in stranger.headers


async def test_all_sites_are_let_in_without_credentials() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, cors_allowed_origins="*")
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app=cloud.cloud.application), base_url=URL)
        answer = await http.get("/identity/v3", headers={"Origin": SITE})
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers


async def test_nobody_is_let_in_by_default() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        assert not isinstance(cloud.cloud.application, Cors)
