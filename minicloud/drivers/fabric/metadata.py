"""The HTTP door to the metadata service: what guests say on a listening socket, handed to the control side with who said it."""

from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Protocol

import anyio
import anyio.abc
import h11
import msgspec

from minicloud.base import trace
from minicloud.base.errors import CloudError
from minicloud.drivers.fabric import AnswerMetadata, MetadataCaller, MetadataReply, MetadataRequest


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much a guest may ask of us. Bytes and seconds; ``connections`` in all, ``per_address`` from one guest."""

    head: int = 16 * 1024
    body: int = 64 * 1024
    connections: int = 1024
    per_address: int = 32
    idle_s: float = 30.0
    request_s: float = 30.0
    answer_s: float = 60.0


class Listener(Protocol):
    """What connections come from; anyio's socket listeners are ones."""

    async def accept(self) -> anyio.abc.SocketStream:
        """The next connection."""

    async def aclose(self) -> None:
        """Stop listening."""


CallerOf = Callable[[str], MetadataCaller]
"""Tells from the peer's address (empty for unix sockets) who asks."""

# A guest could name another's address in these: who asks is known from the connection alone.
_FORGEABLE = {
    "x-forwarded-for",
    "x-forwarded",
    "forwarded",
    "x-real-ip",
    "x-instance-id",
    "x-instance-id-signature",
    "x-tenant-id",
}

# What has come in one piece is not held against the limit of a head: pieces have to be smaller than it.
_CHUNK = 8192


class _Refused(Exception):
    """A request that gets an answer and then a closed connection."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


class MetadataServer:
    """Serves metadata on any number of listeners."""

    def __init__(self, answer: AnswerMetadata, limits: Limits | None = None) -> None:
        self._answer = answer
        self._limits = limits or Limits()
        self._open: Counter[tuple[str, str]] = Counter()

    async def serve(self, listener: Listener, caller_of: CallerOf, name: str) -> None:
        """Serve until cancelled, then close the listener. ``name`` keeps the guests of several listeners apart."""
        try:
            async with anyio.create_task_group() as group:
                while True:
                    try:
                        stream = await listener.accept()
                    except OSError as error:
                        # Out of descriptors, most likely: others will be closed soon.
                        trace.note("metadata", listener=name, refused=str(error))
                        await anyio.sleep(0.2)
                        continue
                    group.start_soon(self._connection, stream, caller_of, name)
        finally:
            with anyio.CancelScope(shield=True):
                await listener.aclose()

    async def _connection(self, stream: anyio.abc.SocketStream, caller_of: CallerOf, name: str) -> None:
        try:
            async with stream:
                peer = stream.extra(anyio.abc.SocketAttribute.remote_address, None)
                address = str(peer[0]) if isinstance(peer, tuple) else ""
                key = (name, address)
                crowded = self._open[key] >= self._limits.per_address or self._open.total() >= self._limits.connections
                self._open[key] += 1
                try:
                    await _Conversation(stream, self._answer, self._limits, caller_of(address)).run(crowded)
                finally:
                    self._open[key] -= 1
                    if not self._open[key]:
                        del self._open[key]
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, OSError):
            # A guest that goes away is no news.
            pass
        except h11.LocalProtocolError as error:
            trace.note("metadata", listener=name, bug=f"the answer cannot be written as HTTP: {error}")


class _Conversation:
    """One connection: requests one after the other until either side has enough."""

    def __init__(
        self, stream: anyio.abc.SocketStream, answer: AnswerMetadata, limits: Limits, caller: MetadataCaller
    ) -> None:
        self._stream = stream
        self._answer = answer
        self._limits = limits
        self._caller = caller
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head)

    async def run(self, crowded: bool) -> None:
        """Serve until the end of the connection; ``crowded``: say that there are too many and leave."""
        try:
            if crowded:
                raise _Refused(503, "too many connections to the metadata service: try again later")
            while True:
                first = None
                with anyio.move_on_after(self._limits.idle_s):
                    first = await self._next()
                if not isinstance(first, h11.Request):
                    return
                await self._request(first)
                if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                    return
                self._http.start_next_cycle()
        except h11.RemoteProtocolError as error:
            await self._refuse(error.error_status_hint, f"this is no HTTP request: {error}")
        except _Refused as refused:
            await self._refuse(refused.status, refused.words)

    async def _request(self, first: h11.Request) -> None:
        body = b""
        with anyio.move_on_after(self._limits.request_s) as scope:
            while not isinstance(event := await self._next(), h11.EndOfMessage):
                if isinstance(event, h11.Data):
                    body += event.data
                if len(body) > self._limits.body:
                    raise _Refused(413, f"a body may have {self._limits.body} bytes")
        if scope.cancelled_caught:
            raise _Refused(408, "the request did not come to its end in time")
        request = MetadataRequest(
            caller=self._caller,
            method=first.method.decode("ascii"),
            path=_path(first.target),
            headers=_headers(first),
            body=body,
        )
        reply = await self._reply(request)
        await self._send(reply, with_body=request.method != "HEAD")
        trace.note(
            "metadata",
            method=request.method,
            path=request.path,
            status=reply.status,
            address=self._caller.address,
            network=self._caller.network_id,
            router=self._caller.router_id,
            port=self._caller.port_id,
        )

    async def _reply(self, request: MetadataRequest) -> MetadataReply:
        try:
            with anyio.fail_after(self._limits.answer_s):
                return await self._answer(request)
        except CloudError as error:
            why = error.message
        except TimeoutError:
            why = "it took too long"
        except Exception as error:  # noqa: BLE001 - a door to strangers, as the next line says
            # A bug behind it may cost this guest its answer, never all guests their metadata.
            trace.note("metadata", path=request.path, bug=f"{type(error).__name__}: {error}")
            return MetadataReply(status=500, body=b"the metadata service has a bug: see the cloud's trace\n")
        return MetadataReply(status=503, body=f"the metadata service cannot answer now: {why}\n".encode())

    async def _next(self) -> Any:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                await self._stream.send(self._http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            try:
                data = await self._stream.receive(_CHUNK)
            except anyio.EndOfStream:
                data = b""
            self._http.receive_data(data)
        if event is h11.PAUSED:
            return h11.ConnectionClosed()
        return event

    async def _send(self, reply: MetadataReply, *, with_body: bool) -> None:
        headers = [("content-type", reply.content_type), ("content-length", str(len(reply.body)))]
        head = h11.Response(status_code=reply.status, headers=headers, reason=_reason(reply.status))
        out = self._http.send(head) or b""
        if with_body and reply.body:
            out += self._http.send(h11.Data(data=reply.body)) or b""
        out += self._http.send(h11.EndOfMessage()) or b""
        with anyio.fail_after(self._limits.request_s):
            await self._stream.send(out)

    async def _refuse(self, status: int, words: str) -> None:
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        body = f"{words}\n".encode()
        head = h11.Response(
            status_code=status,
            headers=[
                ("content-type", "text/plain; charset=UTF-8"),
                ("content-length", str(len(body))),
                ("connection", "close"),
            ],
            reason=_reason(status),
        )
        out = (self._http.send(head) or b"") + (self._http.send(h11.Data(data=body)) or b"")
        await self._stream.send(out + (self._http.send(h11.EndOfMessage()) or b""))


def _path(target: bytes) -> str:
    """The path and query of a request's target, which proxies and some clients write with scheme and host."""
    text = target.decode("latin-1")
    if not text.startswith("/") and "://" in text:
        _, _, rest = text.partition("://")
        text = "/" + rest.partition("/")[2]
    return text


def _headers(first: h11.Request) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw_name, raw_value in first.headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name not in _FORGEABLE:
            found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _reason(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""
