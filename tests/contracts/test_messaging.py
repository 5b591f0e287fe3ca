"""The messaging promise, on every keeper: answers, errors, queues, time limits, concurrency, who hears what."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import anyio
import msgspec
import pytest
import trio.testing

from minicloud.base import trace
from minicloud.base.errors import Conflict, Failed, Invalid, NotFound, NotOffered, TimedOut, ToolFailed, Unavailable
from minicloud.engines.messaging import Message, Messaging
from minicloud.engines.messaging.inprocess import InProcess

pytestmark = pytest.mark.anyio

Open = Callable[..., AbstractAsyncContextManager[Messaging]]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    if request.param == "trio":
        return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}
    return request.param


@pytest.fixture
def on_virtual_time(anyio_backend: Any) -> None:
    """For stories that wait for long: only where the clock jumps."""
    if anyio_backend == "asyncio":
        pytest.skip("waits in virtual time")


@pytest.fixture(params=[InProcess])
def keeper(request: pytest.FixtureRequest) -> Open:
    """Opens the product under test: ``queue_limit`` is how many messages may wait for one host."""
    opener: Open = request.param
    return opener


@pytest.fixture
async def messaging(keeper: Open) -> AsyncIterator[Messaging]:
    async with keeper() as messaging:
        yield messaging


class Pong(msgspec.Struct):
    number: int
    tags: list[str] = []


class Ping(Message[Pong], tag="ping", kw_only=True):
    number: int
    tags: list[str] = []


class Tell(Message[None], tag="tell", kw_only=True):
    number: int


class Routine(Message[None], tag="routine", kw_only=True):
    ROUTINE = True

    number: int


class Names(Message[list[str]], tag="names"):
    pass


class Stranger(Message[None], tag="stranger"):
    pass


async def pong(message: Ping) -> Pong:
    return Pong(message.number + 1, message.tags)


class Hearer:
    """A handler that remembers what it heard, and may be held up."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.at_once = 0
        self.most_at_once = 0
        self.finished: list[int] = []
        self.cancelled: list[int] = []
        self.gate = anyio.Event()
        self.gate.set()

    def hold(self) -> None:
        self.gate = anyio.Event()

    async def __call__(self, message: Tell) -> None:
        self.numbers.append(message.number)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.gate.wait()
            self.finished.append(message.number)
        except anyio.get_cancelled_exc_class():
            self.cancelled.append(message.number)
            raise
        finally:
            self.at_once -= 1

    async def heard(self, count: int) -> None:
        """Wait until so many messages have arrived."""
        with anyio.fail_after(10):
            while len(self.numbers) < count:
                await anyio.lowlevel.checkpoint()

    async def done(self, count: int) -> None:
        """Wait until so many handlers have finished."""
        with anyio.fail_after(10):
            while len(self.finished) < count:
                await anyio.lowlevel.checkpoint()


async def test_a_call_brings_the_answer_in_its_own_type(messaging: Messaging) -> None:
    async def handler(message: Ping | Names) -> Pong | list[str]:
        return ["a", "b"] if isinstance(message, Names) else await pong(message)

    async with messaging.listen("compute", host="h1", messages=(Ping, Names), handler=handler):
        answer = await messaging.call("compute", Ping(number=1, tags=["x"]), host="h1")
        names = await messaging.call("compute", Names(), host="h1")
    assert answer == Pong(2, ["x"])
    assert names == ["a", "b"]


async def test_both_sides_hold_their_own_copies(messaging: Messaging) -> None:
    kept: list[Any] = []

    async def handler(message: Ping) -> Pong:
        kept.append(message)
        answer = Pong(0, message.tags)
        kept.append(answer)
        return answer

    sent = Ping(number=1, tags=["x"])
    async with messaging.listen("compute", host="h1", messages=(Ping,), handler=handler):
        received = await messaging.call("compute", sent, host="h1")
    assert kept[0] == sent
    assert kept[0] is not sent
    assert kept[0].tags is not sent.tags
    assert received is not kept[1]


async def test_an_error_of_the_handler_arrives_with_its_meaning_kind_and_facts(messaging: Messaging) -> None:
    async def handler(message: Ping) -> Pong:
        if message.number == 1:
            raise NotFound("no server s1 here", kind="NoServer", server="s1")
        raise ToolFailed("qemu-img failed (1): no room", argv=["qemu-img"], code=1, stderr="no room")

    async with messaging.listen("compute", host="h1", messages=(Ping,), handler=handler):
        with pytest.raises(NotFound) as missing:
            await messaging.call("compute", Ping(number=1), host="h1")
        with pytest.raises(ToolFailed) as failed:
            await messaging.call("compute", Ping(number=2), host="h1")
    assert missing.value.message == "no server s1 here"
    assert missing.value.kind == "NoServer"
    assert missing.value.detail == {"server": "s1"}
    assert failed.value.detail == {"argv": ["qemu-img"], "code": 1, "stderr": "no room"}


async def test_a_bug_of_the_handler_is_answered_logged_and_the_host_goes_on(
    messaging: Messaging, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(message: Ping) -> Pong:
        if message.number == 1:
            raise KeyError("machines")
        return await pong(message)

    async with messaging.listen("compute", host="h1", messages=(Ping,), handler=handler):
        with caplog.at_level(logging.ERROR), pytest.raises(Failed, match="KeyError") as failed:
            await messaging.call("compute", Ping(number=1), host="h1")
        assert await messaging.call("compute", Ping(number=2), host="h1") == Pong(3)
    assert failed.value.kind == "unexpected"
    assert failed.value.detail["exception"] == "KeyError"
    assert "Traceback" in caplog.text


async def test_a_message_that_the_listener_does_not_know_is_refused(messaging: Messaging) -> None:
    async with messaging.listen("compute", host="h1", messages=(Ping,), handler=pong):
        with pytest.raises(NotOffered, match="stranger") as refused:
            await messaging.call("compute", Stranger(), host="h1")
    assert refused.value.kind == "unknown_message"


async def test_fields_of_a_wrong_type_are_refused_by_the_receiver(messaging: Messaging) -> None:
    wrong: Any = "seven"
    async with messaging.listen("compute", host="h1", messages=(Ping,), handler=pong):
        with pytest.raises(Invalid, match="number") as refused:
            await messaging.call("compute", Ping(number=wrong), host="h1")
    assert refused.value.kind == "bad_message"


async def test_an_answer_of_a_wrong_type_is_the_hosts_failure(messaging: Messaging) -> None:
    async def handler(message: Ping) -> Any:
        return {"number": "many"} if message.number == 1 else object()

    async with messaging.listen("compute", host="h1", messages=(Ping,), handler=handler):
        with pytest.raises(Failed) as wrong:
            await messaging.call("compute", Ping(number=1), host="h1")
        with pytest.raises(Failed, match="TypeError"):
            await messaging.call("compute", Ping(number=2), host="h1")
    assert wrong.value.kind == "bad_answer"


async def test_a_message_that_cannot_be_encoded_is_the_senders_bug(messaging: Messaging) -> None:
    wrong: Any = object()
    with pytest.raises(TypeError):
        await messaging.call("compute", Ping(number=wrong), host="h1")


async def test_a_message_without_an_answer_type_is_refused_at_once(messaging: Messaging) -> None:
    class Bare(Message, tag="bare"):  # type: ignore[type-arg]
        pass

    with pytest.raises(TypeError, match="Bare"):
        await messaging.call("compute", Bare(), host="h1")


@pytest.mark.usefixtures("on_virtual_time")
async def test_a_call_that_nobody_answers_times_out_and_is_never_delivered_later(messaging: Messaging) -> None:
    hearer = Hearer()
    began = anyio.current_time()
    with pytest.raises(TimedOut, match="h1 within 3600 s"):
        await messaging.call("compute", Tell(number=1), host="h1", timeout_s=3600)
    assert anyio.current_time() - began == pytest.approx(3600)
    async with messaging.listen("compute", host="h1", messages=(Tell,), handler=hearer):
        await messaging.call("compute", Tell(number=2), host="h1")
    assert hearer.numbers == [2]


@pytest.mark.usefixtures("on_virtual_time")
async def test_a_call_waits_for_an_agent_that_comes_back(messaging: Messaging) -> None:
    answers: list[Pong] = []

    async def ask() -> None:
        answers.append(await messaging.call("compute", Ping(number=1), host="h1", timeout_s=60))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await anyio.sleep(50)
        async with messaging.listen("compute", host="h1", messages=(Ping,), handler=pong):
            await anyio.sleep(1)
            assert answers == [Pong(2)]


@pytest.mark.usefixtures("on_virtual_time")
async def test_a_slow_handler_goes_on_after_its_caller_timed_out(messaging: Messaging) -> None:
    finished: list[int] = []

    async def slow(message: Tell) -> None:
        await anyio.sleep(100)
        finished.append(message.number)

    async with messaging.listen("compute", host="h1", messages=(Tell,), handler=slow):
        with pytest.raises(TimedOut):
            await messaging.call("compute", Tell(number=1), host="h1", timeout_s=10)
        assert finished == []
        await anyio.sleep(91)
        assert finished == [1]


@pytest.mark.usefixtures("on_virtual_time")
async def test_a_cast_waits_for_its_listener_and_not_for_ever(messaging: Messaging) -> None:
    hearer = Hearer()
    await messaging.cast("compute", Tell(number=1), host="h1", timeout_s=100)
    await messaging.cast("compute", Tell(number=2), host="h1", timeout_s=300)
    await anyio.sleep(200)
    async with messaging.listen("compute", host="h1", messages=(Tell,), handler=hearer):
        await hearer.heard(1)
        await anyio.sleep(1)
    assert hearer.numbers == [2]


async def test_a_caller_that_gives_up_does_not_stop_the_handler(messaging: Messaging) -> None:
    hearer = Hearer()
    hearer.hold()
    async with messaging.listen("compute", host="h1", messages=(Tell,), handler=hearer):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: messaging.call("compute", Tell(number=1), host="h1"))
            await hearer.heard(1)
            tasks.cancel_scope.cancel()
        hearer.gate.set()
        await hearer.done(1)
    assert hearer.cancelled == []


async def test_messages_begin_in_the_order_of_their_sending(messaging: Messaging) -> None:
    hearer = Hearer()
    for number in range(20):
        await messaging.cast("compute", Tell(number=number), host="h1")
    async with messaging.listen("compute", host="h1", messages=(Tell,), handler=hearer, concurrency=7):
        for number in range(20, 200):
            await messaging.cast("compute", Tell(number=number), host="h1")
        await hearer.done(200)
    assert hearer.numbers == list(range(200))


async def test_no_more_handlers_work_at_once_than_allowed(messaging: Messaging) -> None:
    hearer = Hearer()
    hearer.hold()
    async with messaging.listen("compute", host="h1", messages=(Tell,), handler=hearer, concurrency=3):
        for number in range(10):
            await messaging.cast("compute", Tell(number=number), host="h1")
        await hearer.heard(3)
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        assert hearer.numbers == [0, 1, 2]
        hearer.gate.set()
        await hearer.done(10)
    assert hearer.most_at_once == 3


async def test_a_full_queue_refuses_and_takes_again_when_there_is_room(keeper: Open) -> None:
    hearer = Hearer()
    hearer.hold()
    async with (
        keeper(queue_limit=5) as messaging,
        messaging.listen("compute", host="h1", messages=(Tell,), handler=hearer, concurrency=2),
    ):
        for number in range(7):  # two are worked on, five wait
            await messaging.cast("compute", Tell(number=number), host="h1")
        with pytest.raises(Unavailable) as full:
            await messaging.cast("compute", Tell(number=7), host="h1")
        with pytest.raises(Unavailable):
            await messaging.call("compute", Tell(number=8), host="h1")
        await messaging.cast("compute", Tell(number=9), host="h2")
        hearer.gate.set()
        await hearer.done(7)
        await messaging.call("compute", Tell(number=10), host="h1")
    assert full.value.kind == "queue_full"
    assert not isinstance(full.value, TimedOut)
    assert hearer.numbers == [0, 1, 2, 3, 4, 5, 6, 10]


@pytest.mark.usefixtures("on_virtual_time")
async def test_what_has_expired_does_not_fill_a_queue(keeper: Open) -> None:
    async with keeper(queue_limit=2) as messaging:
        await messaging.cast("compute", Tell(number=1), host="h1", timeout_s=10)
        await messaging.cast("compute", Tell(number=2), host="h1", timeout_s=10)
        with pytest.raises(Unavailable):
            await messaging.cast("compute", Tell(number=3), host="h1")
        await anyio.sleep(11)
        await messaging.cast("compute", Tell(number=4), host="h1")


async def test_fan_out_reaches_every_host_that_listens_now_and_no_other(messaging: Messaging) -> None:
    hearers = {host: Hearer() for host in ("h1", "h2", "h3")}
    elsewhere = Hearer()
    async with AsyncExitStack() as stack:
        for host in ("h1", "h2"):
            await stack.enter_async_context(
                messaging.listen("compute", host=host, messages=(Tell,), handler=hearers[host])
            )
        await stack.enter_async_context(messaging.listen("network", host="h1", messages=(Tell,), handler=elsewhere))
        await messaging.fan_out("compute", Tell(number=1))
        await hearers["h1"].done(1)
        await hearers["h2"].done(1)
        await stack.enter_async_context(messaging.listen("compute", host="h3", messages=(Tell,), handler=hearers["h3"]))
        await messaging.call("compute", Tell(number=2), host="h3")
    assert hearers["h3"].numbers == [2]
    assert elsewhere.numbers == []


async def test_fan_out_passes_over_a_full_host_and_says_so(keeper: Open) -> None:
    stuck, free = Hearer(), Hearer()
    stuck.hold()
    recording = trace.Recording()
    with trace.recording(recording):
        async with (
            keeper(queue_limit=1) as messaging,
            messaging.listen("compute", host="stuck", messages=(Tell,), handler=stuck, concurrency=1),
            messaging.listen("compute", host="free", messages=(Tell,), handler=free),
        ):
            for number in (1, 2):
                await messaging.cast("compute", Tell(number=number), host="stuck")
            await messaging.fan_out("compute", Tell(number=3))
            await free.done(1)
    assert free.numbers == [3]
    skipped = [facts for facts in recording.facts("message") if facts["act"] == "fan_out" and facts["error"]]
    assert [facts["host"] for facts in skipped] == ["stuck"]


async def test_two_listeners_at_one_place_are_refused(messaging: Messaging) -> None:
    async with messaging.listen("compute", host="h1", messages=(Ping,), handler=pong):
        with pytest.raises(Conflict):
            async with messaging.listen("compute", host="h1", messages=(Ping,), handler=pong):
                pass
        assert await messaging.call("compute", Ping(number=1), host="h1") == Pong(2)


async def test_two_messages_with_one_tag_are_refused(messaging: Messaging) -> None:
    class Pang(Message[None], tag="ping"):
        pass

    with pytest.raises(ValueError, match="ping"):
        async with messaging.listen("compute", host="h1", messages=(Ping, Pang), handler=pong):
            pass


async def test_leaving_cuts_handlers_short_and_their_callers_hear_it_at_once(messaging: Messaging) -> None:
    hearer = Hearer()
    hearer.hold()
    heard: list[Unavailable] = []

    async def ask() -> None:
        with pytest.raises(Unavailable) as stopped:
            await messaging.call("compute", Tell(number=1), host="h1", timeout_s=3600)
        heard.append(stopped.value)

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            async with messaging.listen("compute", host="h1", messages=(Tell,), handler=hearer):
                tasks.start_soon(ask)
                await hearer.heard(1)
            assert hearer.cancelled == [1]
    assert [error.kind for error in heard] == ["listener_stopped"]
    assert not isinstance(heard[0], TimedOut)


async def test_what_waits_when_a_listener_leaves_is_for_the_next_one(messaging: Messaging) -> None:
    first, second = Hearer(), Hearer()
    first.hold()
    async with messaging.listen("compute", host="h1", messages=(Tell,), handler=first, concurrency=1):
        for number in range(4):
            await messaging.cast("compute", Tell(number=number), host="h1")
        await first.heard(1)
    async with messaging.listen("compute", host="h1", messages=(Tell,), handler=second):
        await second.done(3)
    assert first.numbers == [0]
    assert second.numbers == [1, 2, 3]


async def test_leaving_before_a_worker_began_loses_nothing(messaging: Messaging) -> None:
    first, second = Hearer(), Hearer()
    async with messaging.listen("compute", host="h1", messages=(Tell,), handler=first):
        await messaging.cast("compute", Tell(number=1), host="h1")
    async with messaging.listen("compute", host="h1", messages=(Tell,), handler=second):
        with anyio.fail_after(10):
            while not first.numbers + second.numbers:
                await anyio.lowlevel.checkpoint()
    assert sorted(first.numbers + second.numbers) == [1]


async def test_closing_stops_handlers(keeper: Open) -> None:
    hearer = Hearer()
    hearer.hold()
    with anyio.fail_after(10):
        async with (
            keeper() as messaging,
            messaging.listen("compute", host="h1", messages=(Tell,), handler=hearer),
        ):
            await messaging.cast("compute", Tell(number=1), host="h1")
            await hearer.heard(1)
    assert hearer.cancelled == [1]


async def test_cancelling_everything_around_ends_promptly(keeper: Open) -> None:
    hearer = Hearer()
    hearer.hold()
    with anyio.fail_after(10), anyio.CancelScope() as scope:
        async with (
            keeper() as messaging,
            messaging.listen("compute", host="h1", messages=(Tell,), handler=hearer),
        ):
            await messaging.cast("compute", Tell(number=1), host="h1")
            await hearer.heard(1)
            await messaging.cast("compute", Tell(number=2), host="h1")
            scope.cancel()
            await anyio.sleep_forever()
    assert 1 in hearer.cancelled


async def test_a_handler_may_call_on(messaging: Messaging) -> None:
    async def relay(message: Ping) -> Pong:
        return await messaging.call("compute", Ping(number=message.number * 10), host="h2")

    async with (
        messaging.listen("compute", host="h1", messages=(Ping,), handler=relay),
        messaging.listen("compute", host="h2", messages=(Ping,), handler=pong),
    ):
        assert await messaging.call("compute", Ping(number=4), host="h1") == Pong(41)


async def test_what_is_asked_in_every_round_is_noted_only_when_it_fails(messaging: Messaging) -> None:
    recording = trace.Recording()

    async def handler(message: Routine) -> None:
        if message.number == 2:
            raise NotFound("no such machine")

    with trace.recording(recording):
        async with messaging.listen("compute", host="h1", messages=(Routine,), handler=handler):
            await messaging.call("compute", Routine(number=1), host="h1")
            assert recording.notes == []
            with pytest.raises(NotFound):
                await messaging.call("compute", Routine(number=2), host="h1")
    assert [facts["act"] for facts in recording.facts("message")] == ["handle", "call"]


async def test_both_ends_note_the_message_under_the_senders_request_and_resource(messaging: Messaging) -> None:
    recording = trace.Recording()

    async def handler(message: Tell) -> None:
        trace.note("worked", number=message.number)
        if message.number == 2:
            raise NotFound("no such machine")

    with trace.recording(recording):
        async with messaging.listen("compute", host="h1", messages=(Tell,), handler=handler):
            with trace.about(request_id="req-1", resource="server-1"):
                await messaging.call("compute", Tell(number=1), host="h1")
            with trace.about(request_id="req-2", resource="server-2"), pytest.raises(NotFound):
                await messaging.call("compute", Tell(number=2), host="h1")
    of_first = [note for note in recording.notes if note.request_id == "req-1"]
    assert [(note.word, note.facts.get("act")) for note in of_first] == [
        ("worked", None),
        ("message", "handle"),
        ("message", "call"),
    ]
    assert {note.resource for note in of_first} == {"server-1"}
    facts = of_first[-1].facts
    assert (facts["topic"], facts["host"], facts["type"], facts["error"]) == ("compute", "h1", "tell", None)
    assert 0 <= facts["seconds"] < 5
    assert [n.facts["error"] for n in recording.notes if n.request_id == "req-2" and n.word == "message"] == [
        "no such machine",
        "no such machine",
    ]


async def test_handlers_note_where_their_listener_was_opened_not_where_the_sender_is(messaging: Messaging) -> None:
    sender, host = trace.Recording(), trace.Recording()

    async def handler(message: Tell) -> None:
        trace.note("worked")

    with trace.recording(host):
        listening = messaging.listen("compute", host="h1", messages=(Tell,), handler=handler)
        await listening.__aenter__()
    with trace.recording(sender), trace.span("saga"):
        await messaging.call("compute", Tell(number=1), host="h1")
    await listening.__aexit__(None, None, None)
    assert host.words() == ["worked", "message"]
    assert sender.words() == ["message", "saga"]
    assert [note.span for note in host.notes] == ["", ""]


async def test_ten_thousand_idle_hosts_cost_no_tasks(messaging: Messaging) -> None:
    hearer = Hearer()
    before = len(anyio.get_running_tasks())
    async with AsyncExitStack() as stack:
        for number in range(10_000):
            await stack.enter_async_context(
                messaging.listen("compute", host=f"h{number}", messages=(Tell,), handler=hearer)
            )
        assert len(anyio.get_running_tasks()) == before
        await messaging.fan_out("compute", Tell(number=1))
        await hearer.done(10_000)
