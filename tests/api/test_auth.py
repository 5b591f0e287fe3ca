"""The authenticator: a bearer is looked up once, and forgotten when what the token stands on changes."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import anyio
import pytest
import trio

from minicloud.api.auth import LARGEST_CACHE, Authenticator, digest
from minicloud.api.identity.passwords import Passwords
from minicloud.base.clock import VirtualClock
from minicloud.base.errors import Unauthenticated
from minicloud.core.identity import tokens, users
from minicloud.core.identity.assignments import project_scope
from minicloud.core.identity.bootstrap import Bootstrap, bootstrap
from minicloud.engines.database import Transaction
from minicloud.engines.database.inline import InlineDatabase

pytestmark = pytest.mark.anyio

T = TypeVar("T")


class Counting:
    """A database that counts reads, and can let something happen between a read and its answer."""

    def __init__(self, inner: InlineDatabase) -> None:
        self.inner = inner
        self.reads = 0
        self.slow: anyio.Event | None = None

    async def read(self, fn: Callable[[Transaction], T]) -> T:
        self.reads += 1
        found = await self.inner.read(fn)
        if self.slow is not None:
            await self.slow.wait()
        return found

    async def write(self, fn: Callable[[Transaction], T]) -> T:
        return await self.inner.write(fn)

    async def close(self) -> None:
        await self.inner.close()


class Setting:
    """An authenticator with what it stands on."""

    def __init__(self) -> None:
        self.clock = VirtualClock(datetime(2026, 11, 21, tzinfo=UTC), trio.current_time)
        self.database = Counting(InlineDatabase(clock=self.clock))
        self.authenticator = Authenticator(self.database, self.clock)

    async def issue(self, secret: str) -> str:
        """A token for demo; the user's id."""

        def write(tx: Transaction) -> str:
            hash_ = Passwords("cheap").hash_now("x")
            ids = bootstrap(tx, Bootstrap(admin_password_hash=hash_, demo_password_hash=hash_))
            user = users.get(tx, ids.users["demo"])
            scope = project_scope(ids.projects["demo"])
            tokens.issue(tx, token_id=digest(secret), user=user, methods=["password"], scope=scope, hours=1)
            return user.id

        return await self.database.write(write)


async def test_a_bearer_is_looked_up_once() -> None:
    setting = Setting()
    await setting.issue("secret")
    first = await setting.authenticator.context("secret")
    assert (first.user_name, first.project_name, first.roles) == ("demo", "demo", frozenset({"member", "reader"}))
    assert not first.is_admin
    assert await setting.authenticator.context("secret") is first
    assert setting.database.reads == 1


async def test_guesses_are_not_remembered() -> None:
    setting = Setting()
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            await setting.authenticator.context("guess")
    assert setting.database.reads == 2
    await setting.issue("guess")
    assert (await setting.authenticator.context("guess")).user_name == "demo"


async def test_a_remembered_token_expires() -> None:
    setting = Setting()
    await setting.issue("secret")
    await setting.authenticator.context("secret")
    await anyio.sleep(3599)
    await setting.authenticator.context("secret")
    await anyio.sleep(1)
    with pytest.raises(Unauthenticated):
        await setting.authenticator.context("secret")


async def test_what_was_read_before_a_change_is_not_remembered_after_it() -> None:
    setting = Setting()
    user_id = await setting.issue("secret")
    setting.database.slow = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(setting.authenticator.context, "secret")
        await anyio.sleep(1)
        await setting.database.write(lambda tx: users.forget_tokens(tx, user_id))
        setting.authenticator.forget()
        setting.database.slow.set()
    setting.database.slow = None
    with pytest.raises(Unauthenticated):
        await setting.authenticator.context("secret")


async def test_memory_is_bounded() -> None:
    setting = Setting()
    await setting.issue("secret")
    known = setting.authenticator._known
    context = await setting.authenticator.context("secret")
    for number in range(LARGEST_CACHE):
        known[str(number)] = context
    await setting.issue("another")
    await setting.authenticator.context("another")
    assert len(known) <= LARGEST_CACHE + 1
