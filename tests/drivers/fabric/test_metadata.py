"""The metadata door: what guests may send, and what they hear; over real sockets on loopback."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.abc
import pytest

from minicloud.base import trace
from minicloud.base.errors import NotFound
from minicloud.drivers.fabric import AnswerMetadata, MetadataCaller, MetadataReply, MetadataRequest
from minicloud.drivers.fabric.metadata import Limits, MetadataServer

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


class Answers:
    """Remembers what was asked; answers with method, path and body."""

    def __init__(self) -> None:
        self.heard: list[MetadataRequest] = []

    async def __call__(self, request: MetadataRequest) -> MetadataReply:
        self.heard.append(request)
        if request.path == "/missing":
            return MetadataReply(status=404, body=b"not here\n")
        if request.path == "/slow":
            await anyio.sleep_forever()
        if request.path == "/away":
            raise NotFound("the agent has no way to the control side")
        if request.path == "/bug":
            raise KeyError("a bug")
        if request.path == "/unwritable":
            return MetadataReply(status=200, content_type="text/plain\r\nX: y")
        body = f"{request.method} {request.path} ".encode() + request.body
        return MetadataReply(status=200, content_type="text/x", body=body)


@pytest.fixture
def answers() -> Answers:
    return Answers()


@asynccontextmanager
async def a_door(answer: AnswerMetadata, limits: Limits | None = None) -> AsyncIterator[int]:
    """The TCP port of a metadata server on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        bound.setblocking(False)
        port = bound.getsockname()[1]
        listener = await anyio.abc.SocketListener.from_socket(bound.dup())
        server = MetadataServer(answer, limits)
        async with anyio.create_task_group() as group:
            group.start_soon(server.serve, listener, lambda a: MetadataCaller(address=a, network_id="n"), "door")
            yield port
            group.cancel_scope.cancel()


class Line:
    """A guest's connection."""

    def __init__(self, stream: anyio.abc.ByteStream) -> None:
        self._stream = stream
        self._rest = b""

    async def send(self, text: bytes) -> None:
        await self._stream.send(text)

    async def reply(self, *, body: bool = True) -> tuple[int, dict[str, str], bytes]:
        """The next answer: status, headers, body."""
        while b"\r\n\r\n" not in self._rest:
            self._rest += await self._stream.receive()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        size = int(headers.get("content-length", "0")) if body else 0
        while len(self._rest) < size:
            self._rest += await self._stream.receive()
        content, self._rest = self._rest[:size], self._rest[size:]
        return int(first.split()[1]), headers, content

    async def ended(self) -> bool:
        try:
            return await self._stream.receive() == b""
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return True


@asynccontextmanager
async def a_line(port: int) -> AsyncIterator[Line]:
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        with anyio.fail_after(20):
            yield Line(stream)


async def test_one_connection_carries_many_requests(answers: Answers) -> None:
    async with a_door(answers) as port, a_line(port) as line:
        for path in (b"/openstack", b"/openstack/latest/meta_data.json?x=1"):
            await line.send(
                b"GET " + path + b" HTTP/1.1\r\nHost: 169.254.169.254\r\nUser-Agent: Cloud-Init/22.4.2\r\n\r\n"
            )
            status, headers, body = await line.reply()
            assert (status, body) == (200, b"GET " + path + b" ")
            assert headers["content-type"] == "text/x"
        await line.send(b"GET /missing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await line.reply())[0] == 404
        assert await line.ended()
    first = answers.heard[0]
    assert first.caller == MetadataCaller(address="127.0.0.1", network_id="n")
    assert first.headers["user-agent"] == "Cloud-Init/22.4.2"


async def test_pipelined_requests_are_answered_in_order(answers: Answers) -> None:
    async with a_door(answers) as port, a_line(port) as line:
        await line.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in range(3)))
        assert [(await line.reply())[2] for _ in range(3)] == [b"GET /0 ", b"GET /1 ", b"GET /2 "]


async def test_head_has_headers_alone_and_post_has_a_body(answers: Answers) -> None:
    async with a_door(answers) as port, a_line(port) as line:
        await line.send(b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n")
        status, headers, _ = await line.reply(body=False)
        assert (status, headers["content-length"]) == (200, "8")
        await line.send(b"POST /openstack/x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
        assert (await line.reply())[2] == b"POST /openstack/x abc"
        await line.send(b"PUT /y HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
        assert (await line.reply(body=False))[0] == 100
        await line.send(b"2\r\nde\r\n0\r\n\r\n")
        assert (await line.reply())[2] == b"PUT /y de"


async def test_forged_origins_are_not_passed_on(answers: Answers) -> None:
    async with a_door(answers) as port, a_line(port) as line:
        await line.send(
            b"GET http://169.254.169.254/latest HTTP/1.0\r\nX-Forwarded-For: 10.0.0.9\r\nx-instance-id: other\r\n"
            b"X-Twice: a\r\nX-Twice: b\r\nForwarded: for=10.0.0.9\r\n\r\n"
        )
        assert (await line.reply())[2] == b"GET /latest "
        assert await line.ended()
    assert answers.heard[0].headers == {"x-twice": "a, b"}
    assert answers.heard[0].caller.address == "127.0.0.1"


@pytest.mark.parametrize(
    ("path", "status"),
    [("/away", 503), ("/bug", 500)],
)
async def test_one_failure_costs_one_answer(answers: Answers, path: str, status: int) -> None:
    async with a_door(answers) as port, a_line(port) as line:
        await line.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert (await line.reply())[0] == status
        await line.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await line.reply())[0] == 200


async def test_an_answer_that_is_no_http_is_noted_and_closes_the_line(answers: Answers) -> None:
    recording = trace.Recording()
    with trace.recording(recording):
        async with a_door(answers) as port:
            async with a_line(port) as line:
                await line.send(b"GET /unwritable HTTP/1.1\r\nHost: x\r\n\r\n")
                assert await line.ended()
            async with a_line(port) as line:
                await line.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert (await line.reply())[0] == 200
    assert any("cannot be written" in note.get("bug", "") for note in recording.facts("metadata"))


async def test_an_answer_that_takes_too_long_is_503(answers: Answers) -> None:
    async with a_door(answers, Limits(answer_s=0.05)) as port, a_line(port) as line:
        await line.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        status, _, body = await line.reply()
        assert (status, body) == (503, b"the metadata service cannot answer now: it took too long\n")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 40000 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n" + b"a" * 70000, 413),
    ],
)
async def test_what_is_no_request_is_refused_and_cut(answers: Answers, sent: bytes, status: int) -> None:
    async with a_door(answers) as port, a_line(port) as line:
        await line.send(sent)
        assert (await line.reply())[0] == status
        assert await line.ended()
    assert answers.heard == []


async def test_a_body_that_does_not_come_is_408_and_an_idle_line_is_cut(answers: Answers) -> None:
    async with a_door(answers, Limits(request_s=0.05, idle_s=0.05)) as port:
        async with a_line(port) as line:
            await line.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
            assert (await line.reply())[0] == 408
            assert await line.ended()
        async with a_line(port) as line:
            assert await line.ended()


async def test_one_guest_cannot_take_all_connections(answers: Answers) -> None:
    async with a_door(answers, Limits(per_address=2)) as port:
        async with a_line(port) as one, a_line(port) as two:
            for line in (one, two):
                await line.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert (await line.reply())[0] == 200
            async with a_line(port) as third:
                assert (await third.reply())[0] == 503
                assert await third.ended()
        async with a_line(port) as again:
            status = 503
            while status == 503:
                await again.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                status = (await again.reply())[0]
            assert status == 200
