"""What signing in costs: warm and cold passwords through the whole door on the sqlite database, and a token's own look-up.

    python bench/sign_in.py

The floor printed beside it is one empty write transaction on the same database.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx

from minicloud.api.identity.passwords import Passwords
from minicloud.base.clock import SystemClock
from minicloud.engines.database.sqlite import SqliteDatabase
from tests.support.identity import ADMIN_PASSWORD, identity_api
from tests.support.worlds import a_world


class _Nothing:
    """A trace that costs nothing."""

    def take(self, note: Any) -> None:
        pass


async def _measure(name: str, times: int, work: Callable[[], Awaitable[Any]]) -> None:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        await work()
        taken.append((time.perf_counter() - began) * 1e3)
    taken.sort()
    print(f"{name:44} p50 {statistics.median(taken):8.3f} ms   p95 {taken[int(times * 0.95)]:8.3f} ms   n {times}")


async def main() -> None:
    """Print one line for each figure."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        database = await SqliteDatabase.open(str(Path(folder) / "cloud.db"))
        stack.push_async_callback(database.close)
        passwords = Passwords("normal")
        api, _ = await identity_api(
            await a_world(stack),
            database,
            SystemClock(),
            passwords,
            _Nothing(),  # type: ignore[arg-type]
        )
        http = await stack.enter_async_context(
            httpx.AsyncClient(transport=httpx.ASGITransport(app=api), base_url="http://cloud.test/identity")
        )
        user = {"name": "admin", "domain": {"id": "default"}, "password": ADMIN_PASSWORD}
        body = {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"name": "admin", "domain": {"id": "default"}}},
            }
        }

        async def sign_in() -> httpx.Response:
            answer = await http.post("/v3/auth/tokens", json=body)
            assert answer.status_code == 201
            return answer

        async def cold() -> None:
            passwords.forget()
            await sign_in()

        secret = (await sign_in()).headers["x-subject-token"]
        headers = {"X-Auth-Token": secret, "X-Subject-Token": secret}
        await _measure("sign in, cold password", 20, cold)
        await _measure("sign in, warm password (with httpx)", 400, sign_in)
        await _measure("validate a token (with httpx)", 400, lambda: http.get("/v3/auth/tokens", headers=headers))
        await _measure("floor: httpx to the version document", 400, lambda: http.get("/v3"))
        await _measure("floor: an empty write transaction", 400, lambda: database.write(lambda tx: None))
        await _measure("who bears a token, known", 5000, lambda: api.authenticator.context(secret))

        async def forgotten() -> None:
            api.authenticator.forget()
            await api.authenticator.context(secret)

        await _measure("who bears a token, looked up", 400, forgotten)


asyncio.run(main())
