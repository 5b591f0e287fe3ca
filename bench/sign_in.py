"""What signing in costs: warm and cold passwords through the whole door on the sqlite database, and a token's own look-up.

The floors are a request for the version document through the same door, and an empty write transaction on the same database.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx

from bench import figures
from minicloud.api.identity.passwords import Passwords
from minicloud.base.clock import SystemClock
from minicloud.engines.database.sqlite import SqliteDatabase
from tests.support.identity import ADMIN_PASSWORD, identity_api
from tests.support.worlds import a_world


class _Nothing:
    """A trace that costs nothing."""

    def take(self, note: Any) -> None:
        pass


async def _median_ms(times: int, work: Callable[[], Awaitable[Any]]) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        await work()
        taken.append(time.perf_counter() - began)
    return figures.p50(taken) * 1e3


async def main() -> None:
    """One line for each figure."""
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

        async def forgotten() -> None:
            api.authenticator.forget()
            await api.authenticator.context(secret)

        def get(path: str) -> Callable[[], Awaitable[Any]]:
            return lambda: http.get(path, headers=headers)

        door = await _median_ms(400, get("/v3"))
        empty = await _median_ms(400, lambda: database.write(lambda tx: None))
        figures.show("sign_in_cold_ms", await _median_ms(20, cold), "ms", more="a password that is hashed")
        figures.show("sign_in_warm_ms", await _median_ms(400, sign_in), "ms", floor=door, target="< 3")
        figures.show("token_validate_ms", await _median_ms(400, get("/v3/auth/tokens")), "ms", floor=door)
        known = await _median_ms(5000, lambda: api.authenticator.context(secret))
        figures.show("token_known_ms", known, "ms", target="< 0.1", more="inside the process")
        figures.show(
            "token_looked_up_ms", await _median_ms(1000, forgotten), "ms", floor=empty,
            more="the first time; the floor is an empty write transaction",
        )  # fmt: skip


if __name__ == "__main__":
    asyncio.run(main())
