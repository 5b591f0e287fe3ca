"""Speaks QMP with one QEMU process: commands with time limits, events as they come, and what a lost connection means."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from typing import Any

import anyio
import msgspec

from minicloud.base.errors import Failed, TimedOut, Unavailable

_LINE_LIMIT = 1 << 24


class Event(msgspec.Struct, frozen=True):
    """Something that QEMU tells on its own."""

    event: str
    data: dict[str, Any] = {}


class Status(msgspec.Struct, frozen=True):
    """Answer to ``query-status``: ``running``, ``paused``, ``io-error``, ``shutdown``, ``inmigrate``, ..."""

    status: str
    running: bool


class _Line(msgspec.Struct):
    event: str | None = None
    data: dict[str, Any] = {}
    id: int | None = None
    answer: Any = msgspec.field(name="return", default=None)
    error: dict[str, Any] | None = None
    QMP: dict[str, Any] | None = None


class Qmp:
    """A connection to a QMP socket, made by ``connect``; only one client at a time is answered by QEMU."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hear: Callable[[Event], None]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._hear = hear
        self._waiting: dict[int, asyncio.Future[_Line]] = {}
        self._greeted = asyncio.Event()
        self._ended = asyncio.Event()
        self._last = 0
        self._task = asyncio.get_running_loop().create_task(self._read())

    @classmethod
    async def connect(cls, path: str, hear: Callable[[Event], None], *, timeout_s: float = 10.0) -> "Qmp":
        """Connect and agree on capabilities; ``hear`` is called with every event from then on, and must be quick.

        Raises:
            OSError: nobody listens there (yet).
            TimedOut: somebody does, but says nothing: another client may hold the connection.
            Unavailable: QEMU ended meanwhile.
        """
        reader, writer = await asyncio.open_unix_connection(path, limit=_LINE_LIMIT)
        qmp = cls(reader, writer, hear)
        try:
            with anyio.move_on_after(timeout_s) as scope:
                await qmp._greeted.wait()
            if scope.cancelled_caught:
                raise TimedOut("QEMU's control socket does not greet: another client holds it, or QEMU hangs")
            await qmp.execute("qmp_capabilities", timeout_s=timeout_s)
        except BaseException:
            await qmp.close()
            raise
        return qmp

    @property
    def ended(self) -> bool:
        """Whether the connection is lost."""
        return self._ended.is_set()

    async def drained(self) -> None:
        """Return when the connection is lost and every event before that was heard."""
        await self._ended.wait()

    async def execute(
        self,
        command: str,
        arguments: dict[str, Any] | None = None,
        *,
        timeout_s: float = 60.0,
        descriptor: int | None = None,
    ) -> Any:
        """Run a command; the answer as plain values. ``descriptor`` is an open file that goes along with it.

        Raises:
            Failed: QEMU refused; ``kind`` is its error class.
            TimedOut: no answer in time; whether it was done is not known.
            Unavailable: the connection is lost.
        """
        if self.ended:
            raise Unavailable(f"QEMU is gone: {command} was not sent")
        self._last += 1
        number = self._last
        answer: asyncio.Future[_Line] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            message: dict[str, Any] = {"execute": command, "id": number}
            if arguments:
                message["arguments"] = arguments
            with anyio.move_on_after(timeout_s) as scope:
                try:
                    sent = msgspec.json.encode(message) + b"\n"
                    if descriptor is None:
                        self._writer.write(sent)
                    else:
                        self._send_with(sent, descriptor)
                    await self._writer.drain()
                except OSError as error:
                    raise Unavailable(f"QEMU is gone: {command} was not sent") from error
                line = await answer
            if scope.cancelled_caught:
                raise TimedOut(f"QEMU did not answer {command} within {timeout_s:g} s")
        finally:
            self._waiting.pop(number, None)
            if answer.done() and not answer.cancelled():
                # Its failure was seen here, even where another one was raised.
                answer.exception()
        if line.error is not None:
            raise Failed(f"QEMU refused {command}: {line.error.get('desc')}", kind=line.error.get("class"))
        return line.answer

    def _send_with(self, line: bytes, descriptor: int) -> None:
        """Streams carry no descriptors: this one message goes past the stream, whose own messages have all left."""
        if self._writer.transport.get_write_buffer_size():
            raise OSError("QEMU does not read its control socket")
        with socket.socket(fileno=os.dup(self._writer.get_extra_info("socket").fileno())) as raw:
            if socket.send_fds(raw, [line], [descriptor]) != len(line):
                raise OSError("QEMU does not read its control socket")

    async def status(self) -> Status:
        """What the machine does."""
        return msgspec.convert(await self.execute("query-status"), Status)

    async def stop(self) -> None:
        """Let the processors stand still."""
        await self.execute("stop")

    async def cont(self) -> None:
        """Let them go on."""
        await self.execute("cont")

    async def press_power_button(self) -> None:
        """Ask the guest to power off, by ACPI; it may not listen."""
        await self.execute("system_powerdown")

    async def quit(self, *, timeout_s: float) -> None:
        """End QEMU, its disks flushed; content when it is gone before it answers."""
        with contextlib.suppress(Unavailable):
            await self.execute("quit", timeout_s=timeout_s)

    async def reboot_action(self, action: str) -> None:
        """What a guest's reset does from now on: ``reset`` within the process, or ``shutdown`` to end it."""
        await self.execute("set-action", {"reboot": action})

    async def close(self) -> None:
        """Let go of the connection; the machine goes on."""
        self._task.cancel()
        await asyncio.wait([self._task])
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _read(self) -> None:
        decode = msgspec.json.Decoder(_Line).decode
        try:
            # A QEMU that quits resets the connection as often as it closes it.
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                while True:
                    self._take(decode(await self._reader.readuntil(b"\n")))
        except msgspec.DecodeError:
            # Not QMP: as good as gone, and whoever waits is told so.
            self._writer.close()
        finally:
            self._ended.set()
            self._greeted.set()
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(Unavailable("QEMU ended before it answered"))

    def _take(self, line: _Line) -> None:
        if line.event is not None:
            self._hear(Event(line.event, line.data))
        elif line.QMP is not None:
            self._greeted.set()
        elif line.id is not None and (answer := self._waiting.get(line.id)) is not None and not answer.done():
            answer.set_result(line)
