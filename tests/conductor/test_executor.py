"""The executor: what shares a commit, what is tried again and how long, what turns round, and what never harms other sagas."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest

from minicloud.base import trace
from minicloud.base.errors import CloudError, Conflict, Failed, TimedOut, Unavailable
from minicloud.conductor import log
from minicloud.conductor.executor import RETRY_DELAYS_S, UNDO_TRIES, Executor
from minicloud.conductor.recovery import recover
from minicloud.conductor.step import Attempts, Saga, Step, Steps
from minicloud.conductor.world import World
from minicloud.core import records
from minicloud.engines.database import Transaction
from tests.support.worlds import Outside, Points, an_outside

pytestmark = pytest.mark.anyio


class Tale(Saga):
    """A saga whose steps a test lays down; ``told`` is what they have written into it."""

    name: str = "tale"
    told: list[str] = []

    @property
    def about(self) -> str:
        return self.name


class Stage:
    """An outside, an executor on it, and a note of what steps did in which order."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside
        self.did: list[str] = []
        self.at: list[float] = []
        self.notes = trace.Recording()

    def tale(self, *steps: Step[Any] | Attempts[Any]) -> type[Tale]:
        class Told(Tale):
            @classmethod
            def steps(cls) -> Steps[Any]:
                return steps

        return Told

    def act(self, word: str, *errors: Exception | None) -> Any:
        """An act (or undo) that meets these errors, one each time, and is well afterwards."""
        left = list(errors)

        async def acting(saga: Any, world: World) -> None:
            self.did.append(word)
            self.at.append(anyio.current_time())
            error = left.pop(0) if left else None
            if error is not None:
                raise error
            saga.told.append(word)

        return acting

    def record(self, word: str, *errors: Exception | None) -> Any:
        """The same as a record."""
        left = list(errors)

        def recording(tx: Transaction, saga: Any, world: World) -> None:
            self.did.append(word)
            error = left.pop(0) if left else None
            if error is not None:
                raise error
            saga.told.append(word)

        return recording

    async def play(self, kind: type[Saga], world: World | None = None) -> log.Progress:
        """Run one saga of this kind to its end; where it stands then."""
        with trace.recording(self.notes), trace.about(request_id="req-1"):
            async with Executor(world or self.outside.world(), [kind]) as executor:
                saga_id = await executor.world.database.write(lambda tx: executor.begin(tx, kind()))
                await executor.ended(saga_id)
                await executor.idle()
        return await self.outside.database.read(lambda tx: log.progress(tx, saga_id))


@pytest.fixture
async def stage() -> Any:
    async with AsyncExitStack() as stack:
        yield Stage(await an_outside(stack))


def told(at: log.Progress) -> list[str]:
    """What the steps wrote into the saga, as it is stored."""
    import msgspec

    found: list[str] = msgspec.json.decode(at.row.body)["told"]
    return found


async def test_steps_that_only_touch_rows_share_one_commit_with_the_promise_of_the_next_act(stage: Stage) -> None:
    kind = stage.tale(
        Step("a", record=stage.record("a")),
        Step("b", record=stage.record("b")),
        Step("c", act=stage.act("c"), record=stage.record("c'")),
        Step("d", record=stage.record("d")),
    )
    points = Points()
    points.counting = True
    at = await stage.play(kind, stage.outside.world(points))
    assert at.row.state == "finished"
    # The beginning; a, b and the promise of c; what c did, c', d and the end.
    assert points.reached == 3
    assert stage.did == ["a", "b", "c", "c'", "d"]
    assert told(at) == ["a", "b", "c", "c'", "d"]
    lines = await stage.outside.database.read(lambda tx: log.lines(tx, at.row.id))
    assert [(line.step, line.event) for line in lines] == [
        ("a", "done"),
        ("b", "done"),
        ("c", "started"),
        ("c", "done"),
        ("d", "done"),
    ]


async def test_its_notes_are_about_the_request_that_asked_and_the_resource(stage: Stage) -> None:
    at = await stage.play(stage.tale(Step("a", act=stage.act("a"))))
    assert at.row.request_id == "req-1"
    steps = [note for note in stage.notes.notes if note.word == "saga_step"]
    assert [(note.request_id, note.resource, note.facts["event"]) for note in steps] == [
        ("req-1", "tale", "started"),
        ("req-1", "tale", "done"),
    ]
    assert stage.notes.facts("saga")[-1]["state"] == "finished"


async def test_a_refused_record_keeps_what_came_before_it_and_takes_everything_back(stage: Stage) -> None:
    kind = stage.tale(
        Step("a", record=stage.record("a"), unrecord=stage.record("not a")),
        Step("b", record=stage.record("b", Conflict("no")), unrecord=stage.record("not b")),
    )
    at = await stage.play(kind)
    assert at.row.state == "rolled_back"
    assert at.row.error is not None
    assert (at.row.error.meaning, at.row.error.message) == ("conflict", "no")
    # a ran twice, but its first run was rolled back together with b: it is told once.
    assert told(at) == ["a", "not b", "not a"]


async def test_what_comes_before_a_refused_record_may_be_refused_itself_the_second_time(stage: Stage) -> None:
    kind = stage.tale(
        Step("a", record=stage.record("a", None, Conflict("now a does not like it"))),
        Step("b", record=stage.record("b", Conflict("no"))),
    )
    at = await stage.play(kind)
    assert (at.row.state, told(at)) == ("rolled_back", [])
    assert at.row.error is not None
    assert at.row.error.message == "now a does not like it"


async def test_what_an_act_learned_is_kept_when_its_record_is_refused_so_that_its_undo_knows(stage: Stage) -> None:
    seen: list[list[str]] = []

    async def undo(saga: Any, world: World) -> None:
        seen.append(list(saga.told))

    kind = stage.tale(Step("a", act=stage.act("learned"), record=stage.record("x", Failed("refused")), undo=undo))
    assert (await stage.play(kind)).row.state == "rolled_back"
    assert seen == [["learned"]]


async def test_a_group_is_tried_again_from_its_beginning_and_no_more_often_than_it_may(stage: Stage) -> None:
    kind = stage.tale(
        Step("a", record=stage.record("a"), unrecord=stage.record("not a")),
        Attempts(
            [
                Step("b", record=stage.record("b"), unrecord=stage.record("not b")),
                Step("c", act=stage.act("c", Failed("1"), TimedOut("2"), Unavailable("3")), undo=stage.act("not c")),
            ],
            limit=3,
        ),
    )
    at = await stage.play(kind)
    assert (at.row.state, at.row.attempt) == ("rolled_back", 3)
    assert told(at) == ["a", *["b", "not c", "not b"] * 3, "not a"]


async def test_an_error_that_another_try_would_meet_again_turns_round_at_once(stage: Stage) -> None:
    kind = stage.tale(Attempts([Step("a", act=stage.act("a", Conflict("never")))], limit=3))
    at = await stage.play(kind)
    assert (at.row.state, at.row.attempt, stage.did) == ("rolled_back", 1, ["a"])


async def test_past_the_point_of_no_return_a_step_is_tried_until_it_works_ever_more_slowly(stage: Stage) -> None:
    troubles = [Failed(str(n)) for n in range(8)]
    kind = stage.tale(
        Step("a", act=stage.act("a"), undo=stage.act("not a")),
        Step("b", act=stage.act("b", *troubles), final=True),
        Step("c", record=stage.record("c", Conflict("not yet"))),
    )
    at = await stage.play(kind)
    assert at.row.state == "finished"
    assert "not a" not in stage.did
    assert stage.did.count("b") == 9
    waits = [round(later - earlier, 3) for earlier, later in zip(stage.at[1:9], stage.at[2:10], strict=True)]
    assert waits == [*RETRY_DELAYS_S, RETRY_DELAYS_S[-1], RETRY_DELAYS_S[-1]]
    # Meanwhile everybody could see why.
    assert [fact["error"] for fact in stage.notes.facts("saga_retry")] == [str(n) for n in range(8)] + ["not yet"]


async def test_an_undo_that_fails_is_tried_again_and_then_shown_as_stuck(stage: Stage) -> None:
    undo = stage.act("not a", *[Failed("the host does not answer")] * UNDO_TRIES)
    kind = stage.tale(
        Step("a", act=stage.act("a"), undo=undo, unrecord=stage.record("forgotten")),
        Step("b", act=stage.act("b", Failed("x"))),
    )
    at = await stage.play(kind)
    assert at.row.state == "stuck"
    assert at.row.error is not None
    assert at.row.error.message == "the host does not answer"
    assert stage.did == ["a", "b", *["not a"] * UNDO_TRIES]
    async with Executor(stage.outside.world(), [kind]) as executor:
        await recover(executor)
        assert await executor.ended(at.row.id) == "rolled_back"
    assert stage.did[-2:] == ["not a", "forgotten"]


@pytest.mark.parametrize("where", ["act", "record", "undo", "unrecord"])
async def test_a_defect_is_treated_like_any_failure_and_leaves_its_trail(stage: Stage, where: str) -> None:
    broken: dict[str, Any] = {
        "act": stage.act("a", KeyError("oops")) if where == "act" else stage.act("a"),
        "record": stage.record("b", KeyError("oops")) if where == "record" else stage.record("b"),
        "undo": stage.act("c", KeyError("oops")) if where == "undo" else stage.act("c"),
        "unrecord": stage.record("d", KeyError("oops")) if where == "unrecord" else stage.record("d"),
    }
    kind = stage.tale(Step("a", **broken), Step("b", act=stage.act("b", Failed("turn round"))))
    at = await stage.play(kind)
    assert at.row.state == "rolled_back"
    [defect] = stage.notes.facts("defect")
    assert defect["step"] == "a"
    assert "KeyError: 'oops'" in defect["trail"]


async def test_a_database_that_is_away_delays_a_saga_and_ends_none(stage: Stage) -> None:
    world = stage.outside.world()
    away = 3

    class Away:
        """The database, refusing its first writes after the beginning."""

        begun = False

        async def read(self, fn: Callable[[Transaction], Any]) -> Any:
            return await world.database.read(fn)

        async def write(self, fn: Callable[[Transaction], Any]) -> Any:
            nonlocal away
            if self.begun and away > 0:
                away -= 1
                raise Unavailable("The database cannot be used now (disk full)", kind="database")
            self.begun = True
            return await world.database.write(fn)

        async def close(self) -> None:
            """The file is the outside's."""

    import msgspec

    database: Any = Away()
    kind = stage.tale(Step("a", act=stage.act("a")), Step("b", act=stage.act("b")))
    at = await stage.play(kind, msgspec.structs.replace(world, database=database))
    assert (at.row.state, told(at)) == ("finished", ["a", "b"])
    assert [fact["error"] for fact in stage.notes.facts("saga_interrupted")] == [
        "The database cannot be used now (disk full)"
    ] * 3


async def test_a_saga_that_breaks_the_executor_itself_is_stuck_and_the_others_go_on(stage: Stage) -> None:
    kind = stage.tale(Step("a", act=stage.act("a")))
    async with Executor(stage.outside.world(), [kind]) as executor:

        def begin(tx: Transaction) -> tuple[str, str]:
            row = log.begin(tx, kind())
            records.change(tx, row, body='{"told": "no list"}')
            tx.after_commit(lambda: executor.drive(row.id))
            return row.id, executor.begin(tx, kind(name="other"))

        damaged, sound = await stage.outside.database.write(begin)
        assert await executor.ended(sound) == "finished"
        assert await executor.ended(damaged) == "stuck"


async def test_what_was_not_committed_was_not_begun(stage: Stage) -> None:
    kind = stage.tale(Step("a", act=stage.act("a")))
    async with Executor(stage.outside.world(), [kind]) as executor:

        def fails(tx: Transaction) -> None:
            executor.begin(tx, kind())
            raise Conflict("thought better of it")

        with pytest.raises(Conflict):
            await stage.outside.database.write(fails)
        await executor.idle()
    assert stage.did == []
    assert await stage.outside.database.read(log.unfinished) == []


async def test_a_saga_is_driven_once_however_often_it_is_taken_up(stage: Stage) -> None:
    kind = stage.tale(Step("a", act=stage.act("a")))
    async with Executor(stage.outside.world(), [kind]) as executor:
        saga_id = await stage.outside.database.write(lambda tx: executor.begin(tx, kind()))
        executor.drive(saga_id)
        await recover(executor)
        assert await executor.ended(saga_id) == "finished"
    assert stage.did == ["a"]


async def test_an_executor_that_stops_leaves_sagas_where_they_are_and_the_next_one_goes_on(stage: Stage) -> None:
    never = anyio.Event()

    async def waits(saga: Any, world: World) -> None:
        stage.did.append("waits")
        if stage.did == ["waits"]:
            await never.wait()

    kind = stage.tale(Step("a", act=waits, undo=stage.act("not a")), Step("b", record=stage.record("b")))
    executor = Executor(stage.outside.world(), [kind])
    async with executor:
        saga_id = await stage.outside.database.write(lambda tx: executor.begin(tx, kind()))
        await anyio.sleep(1)
    executor.drive(saga_id)  # too late: nothing starts, and nobody is harmed
    [row] = await stage.outside.database.read(log.unfinished)
    assert (row.state, row.error) == ("running", None)
    async with Executor(stage.outside.world(), [kind]) as again:
        await recover(again)
        assert await again.ended(saga_id) == "finished"
    assert stage.did == ["waits", "waits", "b"]


async def test_any_foreseen_error_of_the_family_may_fail_a_step(stage: Stage) -> None:
    def family(kind: type[CloudError]) -> list[type[CloudError]]:
        return [kind, *(grandchild for child in kind.__subclasses__() for grandchild in family(child))]

    for error in family(CloudError):
        at = await stage.play(stage.tale(Step("a", act=stage.act("a", error("what happened", kind="k", number=1)))))
        assert at.row.state == "rolled_back"
        assert at.row.error is not None
        assert (at.row.error.meaning, at.row.error.kind, at.row.error.detail) == (error.meaning, "k", {"number": 1})


async def test_a_saga_that_nobody_knows_is_not_promised(stage: Stage) -> None:
    async with Executor(stage.outside.world(), []) as executor:
        with pytest.raises(TypeError, match=r"add it to cloud\.SAGAS"):
            await stage.outside.database.write(lambda tx: executor.begin(tx, Tale()))
    assert await stage.outside.database.read(log.unfinished) == []
