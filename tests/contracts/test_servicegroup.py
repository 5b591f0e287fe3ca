"""The servicegroup promise, on every keeper: who is up, for how long a silence is forgiven, what a restart remembers."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest
import trio
import trio.testing

from minicloud.base.clock import VirtualClock, moment
from minicloud.base.errors import NotFound, Unavailable
from minicloud.engines.database import Transaction
from minicloud.engines.database.inline import InlineDatabase
from minicloud.engines.database.sqlite import SqliteDatabase
from minicloud.engines.servicegroup import ServiceGroup
from minicloud.engines.servicegroup.database import DatabaseServiceGroup
from minicloud.engines.servicegroup.memory import MemoryServiceGroup

pytestmark = pytest.mark.anyio

T = TypeVar("T")
START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


@pytest.fixture
def anyio_backend() -> Any:
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


class TroubledDatabase:
    """An inline database whose writes may be slow, or refused as by a full disk."""

    def __init__(self, path: str, clock: VirtualClock) -> None:
        self._inner = InlineDatabase(path, clock=clock)
        self.slow_s = 0.0
        self.refuses = False
        self.writes = 0

    async def read(self, fn: Callable[[Transaction], T]) -> T:
        return await self._inner.read(fn)

    async def write(self, fn: Callable[[Transaction], T]) -> T:
        if self.slow_s:
            await anyio.sleep(self.slow_s)
        if self.refuses:
            raise Unavailable("The database cannot be written (disk is full)", kind="database")
        self.writes += 1
        return await self._inner.write(fn)

    async def close(self) -> None:
        await self._inner.close()


class World:
    """A database file, and processes that come and go."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock(START, trio.current_time)
        self.database = TroubledDatabase(str(folder / "cloud.db"), self.clock)

    def process(self, **settings: float) -> DatabaseServiceGroup:
        return DatabaseServiceGroup(self.database, **settings)

    async def rows(self) -> dict[str, str]:
        found = await self.database.read(lambda tx: tx.all("SELECT member, seen FROM heartbeats"))
        return dict(found)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    yield world
    await world.database.close()


@pytest.fixture(params=["memory", "database"])
def group(request: pytest.FixtureRequest, world: World) -> ServiceGroup:
    if request.param == "memory":
        return MemoryServiceGroup(clock=world.clock)
    return world.process()


async def living(group: ServiceGroup, story: Callable[[], Awaitable[None]]) -> None:
    """Run the story while the group beats."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(group.run)
        await story()
        tasks.cancel_scope.cancel()


async def test_nobody_knows_a_stranger(group: ServiceGroup) -> None:
    assert not await group.is_up("nova-compute@h1")
    assert await group.members() == {}


async def test_the_settings_are_those_of_openstack(group: ServiceGroup) -> None:
    assert (group.report_interval_s, group.service_down_time_s) == (10, 60)


async def test_who_joins_is_up_at_once_and_stays_up(group: ServiceGroup) -> None:
    await group.join("nova-compute@h1", "nova-compute@h2")
    assert await group.is_up("nova-compute@h1")

    async def story() -> None:
        await anyio.sleep(86_400)
        assert await group.is_up("nova-compute@h1")
        members = await group.members()
        assert {name: liveness.up for name, liveness in members.items()} == {
            "nova-compute@h1": True,
            "nova-compute@h2": True,
        }
        age = 86_400 - (moment(members["nova-compute@h1"].seen) - START).total_seconds()
        assert 0 <= age <= group.report_interval_s

    await living(group, story)


async def test_a_silent_heart_is_forgiven_for_the_down_time_and_no_longer(group: ServiceGroup) -> None:
    await group.join("nova-compute@h1", "nova-compute@h2")

    async def story() -> None:
        await anyio.sleep(1000)
        group.silence("nova-compute@h1")
        group.silence("nova-compute@h1")
        await anyio.sleep(59.9)
        assert await group.is_up("nova-compute@h1")
        group.silence("nova-compute@h1")
        await anyio.sleep(0.2)
        assert not await group.is_up("nova-compute@h1")
        members = await group.members()
        assert not members["nova-compute@h1"].up
        assert members["nova-compute@h2"].up
        assert members["nova-compute@h1"].seen < members["nova-compute@h2"].seen

    await living(group, story)


async def test_a_resumed_heart_is_up_at_once(group: ServiceGroup) -> None:
    await group.join("nova-compute@h1")

    async def story() -> None:
        group.silence("nova-compute@h1")
        await anyio.sleep(500)
        assert not await group.is_up("nova-compute@h1")
        group.resume("nova-compute@h1")
        group.resume("nova-compute@h1")
        assert await group.is_up("nova-compute@h1")
        await anyio.sleep(500)
        assert (await group.members())["nova-compute@h1"].up

    await living(group, story)


async def test_joining_again_is_a_fresh_start(group: ServiceGroup) -> None:
    await group.join("nova-compute@h1")

    async def story() -> None:
        group.silence("nova-compute@h1")
        await anyio.sleep(500)
        await group.join("nova-compute@h1")
        assert await group.is_up("nova-compute@h1")
        await anyio.sleep(500)
        assert await group.is_up("nova-compute@h1")

    await living(group, story)


async def test_who_leaves_is_no_longer_listed(group: ServiceGroup) -> None:
    await group.join("nova-compute@h1", "nova-compute@h2")

    async def story() -> None:
        await anyio.sleep(100)
        await group.leave("nova-compute@h1", "nobody@h9")
        await group.leave("nova-compute@h1")
        await anyio.sleep(100)
        assert not await group.is_up("nova-compute@h1")
        assert list(await group.members()) == ["nova-compute@h2"]

    await living(group, story)


async def test_only_a_heart_of_this_process_can_be_stopped(group: ServiceGroup) -> None:
    with pytest.raises(NotFound, match="h1"):
        group.silence("nova-compute@h1")
    with pytest.raises(NotFound, match="h1"):
        group.resume("nova-compute@h1")
    await group.join("nova-compute@h1")
    await group.leave("nova-compute@h1")
    with pytest.raises(NotFound):
        group.silence("nova-compute@h1")


async def test_the_down_time_is_a_setting(world: World) -> None:
    group = world.process(report_interval_s=1, service_down_time_s=5)
    await group.join("nova-compute@h1")

    async def story() -> None:
        await anyio.sleep(100)
        group.silence("nova-compute@h1")
        await anyio.sleep(4.9)
        assert await group.is_up("nova-compute@h1")
        await anyio.sleep(0.2)
        assert not await group.is_up("nova-compute@h1")

    await living(group, story)


async def test_another_process_judges_by_the_row(world: World) -> None:
    mine, theirs = world.process(), world.process()
    await mine.join("nova-compute@h1", "nova-compute@h2")

    async def story() -> None:
        await anyio.sleep(1000)
        assert await theirs.is_up("nova-compute@h1")
        mine.silence("nova-compute@h1")
        await anyio.sleep(71)  # the last beat was at most one interval before the silence
        assert not await theirs.is_up("nova-compute@h1")
        assert await theirs.is_up("nova-compute@h2")
        assert {name: liveness.up for name, liveness in (await theirs.members()).items()} == {
            "nova-compute@h1": False,
            "nova-compute@h2": True,
        }
        mine.resume("nova-compute@h1")
        await anyio.sleep(11)
        assert await theirs.is_up("nova-compute@h1")

    await living(mine, story)


async def test_after_a_restart_who_returns_is_up_and_who_does_not_is_down_in_time(world: World) -> None:
    before = world.process()
    await before.join("nova-compute@h1", "nova-compute@h2")

    async def first_life() -> None:
        await anyio.sleep(1000)

    await living(before, first_life)
    after = world.process()
    await after.join("nova-compute@h1")

    async def second_life() -> None:
        assert await after.is_up("nova-compute@h1")
        assert await after.is_up("nova-compute@h2")
        await anyio.sleep(49)
        assert await after.is_up("nova-compute@h2")
        await anyio.sleep(12)
        assert not await after.is_up("nova-compute@h2")
        assert await after.is_up("nova-compute@h1")

    await living(after, second_life)


async def test_after_a_long_night_who_returns_is_up_at_once(world: World) -> None:
    await world.process().join("nova-compute@h1", "nova-compute@h2")
    await anyio.sleep(30_000)
    morning = world.process()
    assert not await morning.is_up("nova-compute@h1")
    await morning.join("nova-compute@h1")
    assert {name: liveness.up for name, liveness in (await morning.members()).items()} == {
        "nova-compute@h1": True,
        "nova-compute@h2": False,
    }


async def test_no_live_host_dies_of_a_slow_or_full_database(world: World, caplog: pytest.LogCaptureFixture) -> None:
    group = world.process()
    await group.join("nova-compute@h1")

    async def story() -> None:
        world.database.slow_s = 500
        await anyio.sleep(400)
        assert await group.is_up("nova-compute@h1")
        assert (await group.members())["nova-compute@h1"].up
        world.database.slow_s, world.database.refuses = 0, True
        await anyio.sleep(1000)
        assert (await group.members())["nova-compute@h1"].up
        group.silence("nova-compute@h1")
        await anyio.sleep(61)
        assert not await group.is_up("nova-compute@h1")
        group.resume("nova-compute@h1")
        world.database.refuses = False
        await anyio.sleep(11)
        written = moment((await world.rows())["nova-compute@h1"])
        assert (world.clock.now() - written).total_seconds() <= 10
        assert await world.process().is_up("nova-compute@h1")

    await living(group, story)
    assert "disk is full" in caplog.text


async def test_a_silence_during_an_outage_is_written_when_it_is_over(world: World) -> None:
    mine, theirs = world.process(), world.process()
    await mine.join("nova-compute@h1")

    async def story() -> None:
        await anyio.sleep(5)
        world.database.refuses = True
        mine.silence("nova-compute@h1")
        await anyio.sleep(30)
        world.database.refuses = False
        await anyio.sleep(200)
        assert not await theirs.is_up("nova-compute@h1")

    await living(mine, story)


async def test_a_laptop_that_slept_kills_nobody(world: World) -> None:
    group = world.process()
    await group.join("nova-compute@h1")

    async def story() -> None:
        await anyio.sleep(15)
        world.clock.jump(hours=9)
        assert await group.is_up("nova-compute@h1")
        assert (await group.members())["nova-compute@h1"].up

    await living(group, story)


async def test_members_survive_a_database_that_was_put_back(world: World) -> None:
    group = world.process()
    await group.join("nova-compute@h1", "nova-compute@h2")

    async def story() -> None:
        await anyio.sleep(5)
        await world.database.write(
            lambda tx: tx.execute("DELETE FROM heartbeats WHERE member = ?", ("nova-compute@h1",))
        )
        assert (await group.members())["nova-compute@h1"].up
        await anyio.sleep(10)
        assert set(await world.rows()) == {"nova-compute@h1", "nova-compute@h2"}

    await living(group, story)


async def test_a_leave_while_a_beat_is_under_way_is_not_undone_by_it(world: World) -> None:
    group = world.process()
    await group.join("nova-compute@h1", "nova-compute@h2")

    async def story() -> None:
        world.database.slow_s = 3
        for _ in range(20):
            await group.join("nova-compute@h1")
            await group.leave("nova-compute@h1")
            await anyio.sleep(1)
        await anyio.sleep(30)
        assert set(await world.rows()) == {"nova-compute@h2"}

    await living(group, story)


async def test_ten_thousand_hosts_beat_in_one_transaction(world: World) -> None:
    group = world.process()
    await group.join(*(f"nova-compute@h{number}" for number in range(10_000)))
    assert world.database.writes == 1

    async def story() -> None:
        await anyio.sleep(35)
        assert world.database.writes == 1 + 4  # at 0, 10, 20 and 30 s
        rows = await world.rows()
        assert len(rows) == 10_000
        assert len(set(rows.values())) == 1

    await living(group, story)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_heartbeats_reach_a_real_file_while_it_is_busy(tmp_path: Path) -> None:
    database = await SqliteDatabase.open(str(tmp_path / "cloud.db"))
    group = DatabaseServiceGroup(database, report_interval_s=0.01)
    await group.join("nova-compute@h1")
    other = sqlite3.connect(tmp_path / "cloud.db", isolation_level=None)

    def seen() -> str:
        (text,) = other.execute("SELECT seen FROM heartbeats").fetchone()
        return str(text)

    async def another_beat(than: str) -> None:
        while seen() == than:  # noqa: ASYNC110 - another process's file can only be asked again
            await anyio.sleep(0.005)

    async def story() -> None:
        with anyio.fail_after(20):
            await another_beat(than=seen())
            other.execute("BEGIN IMMEDIATE")
            await anyio.sleep(0.1)
            assert await group.is_up("nova-compute@h1")
            assert (await group.members())["nova-compute@h1"].up
            held = seen()
            other.execute("COMMIT")
            await another_beat(than=held)

    await living(group, story)
    other.close()
    await database.close()
