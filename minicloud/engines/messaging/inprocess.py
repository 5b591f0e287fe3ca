"""Messages inside one process: a bounded queue per topic and host, encoded as a broker would carry them.

An idle listener is an entry in a dictionary: it costs no task. A delivery starts a worker in the one shared task group;
the worker takes whatever is first in the queue when it gets to run, which keeps the order although event loops may start
tasks in any order.
"""

import contextvars
import functools
import logging
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

import anyio
import msgspec

from minicloud.base import trace
from minicloud.base.errors import CloudError, Conflict, Failed, NotOffered, TimedOut, Unavailable
from minicloud.engines.messaging import CALL_TIMEOUT_S, CAST_TIMEOUT_S, Handler, Message, wire

R = TypeVar("R")

_FAN_OUT_TIMEOUT_S = 60.0
_FAN_OUT_BATCH = 200
_log = logging.getLogger(__name__)


class _Pending:
    """A caller that waits."""

    __slots__ = ("answer", "arrived")

    def __init__(self) -> None:
        self.arrived = anyio.Event()
        self.answer: bytes | None = None


class _Delivery:
    """A sealed message in a queue, the moment it becomes worthless, and who waits for its answer."""

    __slots__ = ("expires_at", "pending", "sealed")

    def __init__(self, sealed: bytes, expires_at: float, pending: _Pending | None) -> None:
        self.sealed = sealed
        self.expires_at = expires_at
        self.pending = pending

    def answer(self, sealed: bytes) -> None:
        if self.pending is not None:
            self.pending.answer = sealed
            self.pending.arrived.set()


@functools.cache
def _decoders(messages: tuple[type[Message[Any]], ...]) -> dict[str, msgspec.msgpack.Decoder[Any]]:
    """A decoder for each message by its tag; thousands of hosts that hear the same share them."""
    found = {wire.name_of(kind): msgspec.msgpack.Decoder(kind) for kind in messages}
    if len(found) != len(messages):
        raise ValueError("two messages with one tag: " + ", ".join(sorted(wire.name_of(kind) for kind in messages)))
    return found


class _Listener:
    """Who hears a queue. ``workers`` counts all of its tasks, ``starting`` those that have not run yet."""

    __slots__ = ("concurrency", "context", "decoders", "handler", "scopes", "starting", "stopped", "workers")

    def __init__(self, messages: tuple[type[Message[Any]], ...], handler: Handler, concurrency: int) -> None:
        self.decoders = _decoders(messages)
        self.handler = handler
        self.concurrency = concurrency
        # Handlers run in the listener's context, not in that of whoever sent: over a broker there is no other.
        self.context = contextvars.copy_context()
        self.workers = 0
        self.starting = 0
        self.scopes: set[anyio.CancelScope] = set()
        self.stopped: anyio.Event | None = None


class _Queue:
    """What waits for one host on one topic."""

    __slots__ = ("host", "listener", "topic", "waiting")

    def __init__(self, topic: str, host: str) -> None:
        self.topic = topic
        self.host = host
        self.waiting: deque[_Delivery] = deque()
        self.listener: _Listener | None = None

    def backlog(self) -> int:
        """How many wait, without those for which a worker was started already."""
        return len(self.waiting) - (self.listener.starting if self.listener is not None else 0)

    def drop_expired(self, now: float) -> None:
        self.waiting = deque(delivery for delivery in self.waiting if delivery.expires_at > now)


class InProcess:
    """Keeps the messaging promise inside one process: ``async with InProcess() as messaging``."""

    def __init__(self, *, queue_limit: int = 1000) -> None:
        self._queue_limit = queue_limit
        self._queues: dict[str, dict[str, _Queue]] = {}
        self._answers: dict[type[Message[Any]], msgspec.msgpack.Decoder[Any]] = {}
        self._tasks: anyio.abc.TaskGroup | None = None

    async def __aenter__(self) -> Self:
        self._tasks = await anyio.create_task_group().__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        tasks, self._tasks = self._open(), None
        tasks.cancel_scope.cancel()
        return await tasks.__aexit__(kind, error, traceback)

    async def call(self, topic: str, message: Message[R], *, host: str, timeout_s: float = CALL_TIMEOUT_S) -> R:
        """See ``Messaging.call``."""
        pending = _Pending()
        decoder = self._answer_decoder(type(message))
        began = time.perf_counter()
        problem: str | None = None
        try:
            self._send(topic, host, message, timeout_s, pending)
            with anyio.move_on_after(timeout_s):
                await pending.arrived.wait()
            if pending.answer is None:
                self._forget(self._queue(topic, host))
                name = wire.name_of(type(message))
                raise TimedOut(
                    f"no answer to {name!r} from {topic} on {host} within {timeout_s:g} s; whether it was done is not "
                    f"known. See whether that host's agent is up",
                    topic=topic,
                    host=host,
                )
            answer: R = wire.read_answer(pending.answer, decoder, wire.name_of(type(message)))
            return answer
        except CloudError as error:
            problem = error.message
            raise
        except anyio.get_cancelled_exc_class():
            problem = "the caller gave up"
            raise
        finally:
            if problem is not None or not message.ROUTINE:
                self._note("call", topic, host, wire.name_of(type(message)), began, problem)

    async def cast(self, topic: str, message: Message[Any], *, host: str, timeout_s: float = CAST_TIMEOUT_S) -> None:
        """See ``Messaging.cast``."""
        began = time.perf_counter()
        problem: str | None = None
        try:
            self._send(topic, host, message, timeout_s, None)
        except CloudError as error:
            problem = error.message
            raise
        finally:
            self._note("cast", topic, host, wire.name_of(type(message)), began, problem)

    async def fan_out(self, topic: str, message: Message[Any]) -> None:
        """See ``Messaging.fan_out``."""
        began = time.perf_counter()
        name = wire.name_of(type(message))
        sealed = self._seal(message, _FAN_OUT_TIMEOUT_S)
        expires_at = anyio.current_time() + _FAN_OUT_TIMEOUT_S
        listening = [queue for queue in self._queues.get(topic, {}).values() if queue.listener is not None]
        for count, queue in enumerate(listening, start=1):
            try:
                self._put(queue, _Delivery(sealed, expires_at, None))
            except Unavailable as error:
                self._note("fan_out", topic, queue.host, name, began, error.message)
            if count % _FAN_OUT_BATCH == 0:  # thousands of hosts must not hold up everyone else
                await anyio.lowlevel.checkpoint()
        self._note("fan_out", topic, f"{len(listening)} hosts", name, began, None)

    @asynccontextmanager
    async def listen(
        self,
        topic: str,
        *,
        host: str,
        messages: tuple[type[Message[Any]], ...],
        handler: Handler,
        concurrency: int = 64,
    ) -> AsyncIterator[None]:
        """See ``Messaging.listen``."""
        self._open()
        listener = _Listener(messages, handler, concurrency)
        queue = self._queue(topic, host)
        if queue.listener is not None:
            raise Conflict(f"somebody listens to {topic} on {host} already", kind="already_listening")
        queue.listener = listener
        for _ in queue.waiting:
            self._start_worker(queue, listener)
        try:
            yield
        finally:
            queue.listener = None
            listener.stopped = anyio.Event()
            for scope in list(listener.scopes):
                scope.cancel()
            if listener.workers:
                with anyio.CancelScope(shield=True):  # nothing of a host may go on working once its agent has left
                    await listener.stopped.wait()
            self._forget(queue)

    def _open(self) -> anyio.abc.TaskGroup:
        if self._tasks is None:
            raise RuntimeError("messaging is closed: use it inside `async with InProcess() as messaging`")
        return self._tasks

    def _queue(self, topic: str, host: str) -> _Queue:
        hosts = self._queues.setdefault(topic, {})
        queue = hosts.get(host)
        if queue is None:
            queue = hosts[host] = _Queue(topic, host)
        return queue

    def _forget(self, queue: _Queue) -> None:
        """Drop what is worthless by now, and the queue itself when nobody needs it."""
        queue.drop_expired(anyio.current_time())
        hosts = self._queues.get(queue.topic, {})
        if queue.listener is None and not queue.waiting and hosts.get(queue.host) is queue:
            del hosts[queue.host]

    def _answer_decoder(self, kind: type[Message[Any]]) -> msgspec.msgpack.Decoder[Any]:
        decoder = self._answers.get(kind)
        if decoder is None:
            decoder = self._answers[kind] = msgspec.msgpack.Decoder(wire.answer_type(kind))
        return decoder

    def _seal(self, message: Message[Any], timeout_s: float) -> bytes:
        return wire.seal(message, request_id=trace.request_id(), resource=trace.resource(), timeout_s=timeout_s)

    def _send(self, topic: str, host: str, message: Message[Any], timeout_s: float, pending: _Pending | None) -> None:
        self._open()
        delivery = _Delivery(self._seal(message, timeout_s), anyio.current_time() + timeout_s, pending)
        self._put(self._queue(topic, host), delivery)

    def _put(self, queue: _Queue, delivery: _Delivery) -> None:
        if queue.backlog() >= self._queue_limit:
            queue.drop_expired(anyio.current_time())
        if queue.backlog() >= self._queue_limit:
            raise Unavailable(
                f"{queue.topic} on {queue.host} has {self._queue_limit} messages waiting; try again when its agent has "
                f"caught up",
                kind="queue_full",
                topic=queue.topic,
                host=queue.host,
            )
        queue.waiting.append(delivery)
        if queue.listener is not None:
            self._start_worker(queue, queue.listener)

    def _start_worker(self, queue: _Queue, listener: _Listener) -> None:
        if listener.workers < listener.concurrency and self._tasks is not None:
            listener.workers += 1
            listener.starting += 1
            listener.context.copy().run(self._tasks.start_soon, self._work, queue, listener)

    async def _work(self, queue: _Queue, listener: _Listener) -> None:
        """Take the first message that is still worth it and handle it."""
        listener.starting -= 1
        try:
            with anyio.CancelScope() as scope:
                listener.scopes.add(scope)
                try:
                    now = anyio.current_time()
                    while queue.waiting and listener.stopped is None:
                        delivery = queue.waiting.popleft()
                        if delivery.expires_at > now:
                            await self._handle(queue, listener, delivery)
                            break
                finally:
                    listener.scopes.discard(scope)
        finally:
            listener.workers -= 1
            if listener.stopped is None:
                if queue.waiting:
                    self._start_worker(queue, listener)
            elif listener.workers == 0:
                listener.stopped.set()

    async def _handle(self, queue: _Queue, listener: _Listener, delivery: _Delivery) -> None:
        envelope = wire.unseal(delivery.sealed)
        began = time.perf_counter()
        problem: str | None = None
        routine = False
        with trace.about(request_id=envelope.request_id, resource=envelope.resource):
            try:
                decoder = listener.decoders.get(envelope.name)
                if decoder is None:
                    raise NotOffered(
                        f"{queue.topic} on {queue.host} does not understand {envelope.name!r}: it may be of an older version",
                        kind="unknown_message",
                    )
                message = wire.read_body(envelope, decoder)
                routine = message.ROUTINE
                answer = wire.seal_answer(await listener.handler(message))
            except CloudError as error:
                problem = error.message
                answer = wire.seal_error(error)
            except anyio.get_cancelled_exc_class():
                problem = f"{queue.topic} on {queue.host} stopped listening while it worked on {envelope.name!r}"
                delivery.answer(wire.seal_error(Unavailable(problem, kind="listener_stopped")))
                raise
            except Exception as error:  # noqa: BLE001 - the door where a host's own bugs become an answer, as over a broker
                kind = type(error).__name__
                problem = f"{envelope.name!r} broke on {queue.host}: {kind}: {error}"
                answer = wire.seal_error(Failed(problem, kind="unexpected", exception=kind))
                _log.error("%s", problem, exc_info=error)
            finally:
                if problem is not None or not routine:
                    self._note("handle", queue.topic, queue.host, envelope.name, began, problem)
            delivery.answer(answer)

    @staticmethod
    def _note(act: str, topic: str, host: str, name: str, began: float, problem: str | None) -> None:
        seconds = round(time.perf_counter() - began, 6)
        trace.note("message", act=act, topic=topic, host=host, type=name, seconds=seconds, error=problem)
