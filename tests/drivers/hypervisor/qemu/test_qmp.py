"""QMP against a server that misbehaves in every way a dying QEMU can."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from minicloud.base.errors import Failed, TimedOut, Unavailable
from minicloud.drivers.hypervisor.qemu.qmp import Event, Qmp

pytestmark = pytest.mark.anyio

GREETING = {"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 22}}, "capabilities": ["oob"]}}
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def send(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    writer.write(json.dumps(message).encode() + b"\r\n")


async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    send(writer, GREETING)
    await answer(reader, writer)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, result: Any = None) -> dict[str, Any]:
    question: dict[str, Any] = json.loads(await reader.readline())
    send(writer, {"return": {} if result is None else result, "id": question["id"]})
    return question


@asynccontextmanager
async def talking(tmp_path: Path, serve: Serve) -> AsyncIterator[tuple[Qmp, list[Event]]]:
    path = str(tmp_path / "qmp")
    events: list[Event] = []
    done = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await welcome(reader, writer)
            await serve(reader, writer)
        finally:
            writer.close()
            done.set()

    server = await asyncio.start_unix_server(handle, path, limit=1 << 24)
    async with server:
        qmp = await Qmp.connect(path, events.append)
        try:
            yield qmp, events
        finally:
            await qmp.close()
            await done.wait()


async def test_answers_find_their_questions_between_events(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, second = json.loads(await reader.readline()), json.loads(await reader.readline())
        send(writer, {"event": "RESUME", "timestamp": {"seconds": 1, "microseconds": 2}})
        send(writer, {"return": "second", "id": second["id"]})
        send(writer, {"event": "SHUTDOWN", "data": {"guest": True, "reason": "guest-reset"}})
        send(writer, {"return": ["x" * 200_000], "id": first["id"]})
        assert (first["execute"], first["arguments"]) == ("one", {"a": 1})
        assert "arguments" not in second

    async with talking(tmp_path, serve) as (qmp, events):
        one, two = await asyncio.gather(qmp.execute("one", {"a": 1}), qmp.execute("two"))
        assert (len(one[0]), two) == (200_000, "second")
        await qmp.drained()
        assert events == [Event("RESUME"), Event("SHUTDOWN", {"guest": True, "reason": "guest-reset"})]


async def test_a_refusal_carries_qemus_words(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        question = json.loads(await reader.readline())
        send(writer, {"error": {"class": "DeviceNotFound", "desc": "Device 'x' not found"}, "id": question["id"]})
        await reader.read()

    async with talking(tmp_path, serve) as (qmp, _):
        with pytest.raises(Failed, match="QEMU refused device_del: Device 'x' not found") as caught:
            await qmp.execute("device_del", {"id": "x"})
        assert caught.value.kind == "DeviceNotFound"


async def test_a_lost_connection_wakes_whoever_waits_and_refuses_the_next(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()

    async with talking(tmp_path, serve) as (qmp, _):
        with pytest.raises(Unavailable, match="ended before it answered"):
            await qmp.execute("query-status")
        with pytest.raises(Unavailable, match="was not sent"):
            await qmp.execute("query-status")
        await qmp.quit(timeout_s=1)
        assert qmp.ended


async def test_a_reset_is_an_end_like_any_other(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Closing with unread bytes makes the kernel answer with a reset.
        await asyncio.sleep(0.05)
        writer.transport.abort()

    async with talking(tmp_path, serve) as (qmp, _):
        with pytest.raises(Unavailable):
            await qmp.execute("query-status")
        await qmp.drained()


async def test_no_answer_is_not_waited_for_without_end(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        late = json.loads(await reader.readline())
        await answer(reader, writer, {"status": "paused", "running": False})
        send(writer, {"return": {}, "id": late["id"]})
        await reader.read()

    async with talking(tmp_path, serve) as (qmp, _):
        with pytest.raises(TimedOut, match="did not answer balloon within"):
            await qmp.execute("balloon", timeout_s=0.05)
        assert (await qmp.status()).status == "paused"


async def test_rubbish_ends_the_conversation(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 400 Bad Request\r\n")
        await reader.read()

    async with talking(tmp_path, serve) as (qmp, _):
        with pytest.raises(Unavailable):
            await qmp.execute("query-status")


async def test_a_busy_socket_does_not_greet(tmp_path: Path) -> None:
    path = str(tmp_path / "qmp")

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(silent, path)
    async with server:
        with pytest.raises(TimedOut, match="another client"):
            await Qmp.connect(path, lambda event: None, timeout_s=0.05)


async def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        await Qmp.connect(str(tmp_path / "qmp"), lambda event: None)
