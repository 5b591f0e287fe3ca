"""The messaging promise: typed messages from the control side to hosts, and answers back. Keeper: ``inprocess``.

A message is a tagged struct whose type parameter is the type of its answer; the same class is what travels, what the
handler takes and what tells the caller's side (and mypy) the answer's type:

    class Ping(Message[Pong], tag="ping", kw_only=True):
        number: int

    pong = await messaging.call("compute", Ping(number=1), host="host-1")      # a Pong

Delivery is at most once, as with a broker that acknowledges on receipt: a queue per topic and host, bounded, first in
first out. A message waits there for its listener until its time is over, then it is dropped unseen, so that an agent which
returns never acts on what its caller has given up. A caller that gives up does not stop the handler.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import msgspec

R = TypeVar("R")

CALL_TIMEOUT_S = 60.0
CAST_TIMEOUT_S = 600.0


class Message(msgspec.Struct, Generic[R], tag=True):
    """What every message derives from: ``R`` is the type of the answer, ``None`` when there is nothing to tell.

    The tag names the message on the wire and stays when the class is renamed; fields may be added with a default.

    ``ROUTINE``: every host is asked it again and again, so the trace tells of it only when it fails.
    """

    ROUTINE: ClassVar[bool] = False


Handler = Callable[[Any], Awaitable[Any]]
"""Takes a message and returns its answer; a ``CloudError`` that it raises reaches the caller with the same meaning."""


class Messaging(Protocol):
    """Carries messages to the hosts that listen. Open and closed by whoever built it, with ``async with``."""

    async def call(self, topic: str, message: Message[R], *, host: str, timeout_s: float = CALL_TIMEOUT_S) -> R:
        """Ask one host and wait for its answer. With nobody listening the question waits until the time is over.

        Raises:
            TimedOut: nobody answered in time; whether it was done is not known.
            Unavailable: kind ``queue_full``, nothing was sent; kind ``listener_stopped``, the handler was cut short.
            NotOffered: kind ``unknown_message``, whoever listens does not understand this message.
            Failed: kind ``unexpected``, the handler broke (``detail["exception"]``); kind ``bad_answer``.
            CloudError: any other, as the handler raised it.
        """

    async def cast(self, topic: str, message: Message[Any], *, host: str, timeout_s: float = CAST_TIMEOUT_S) -> None:
        """Tell one host, without an answer; the message may wait ``timeout_s`` for its listener.

        Raises:
            Unavailable: kind ``queue_full``, nothing was sent.
        """

    async def fan_out(self, topic: str, message: Message[Any]) -> None:
        """Tell every host that listens at this moment, without an answer; a host with a full queue is passed over."""

    def listen(
        self,
        topic: str,
        *,
        host: str,
        messages: tuple[type[Message[Any]], ...],
        handler: Handler,
        concurrency: int = 64,
    ) -> AbstractAsyncContextManager[None]:
        """While inside, the host hears these messages, up to ``concurrency`` at once, begun in the order of their sending.

        A handler's notes are about the request and resource that the sender's work was about. On leaving, handlers that
        still work are cancelled and awaited, and their callers hear ``listener_stopped``; what waits in the queue stays.

        Raises:
            Conflict: kind ``already_listening``.
        """
