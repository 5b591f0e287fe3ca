"""Speaks with the agent inside a guest (qemu-guest-agent), over a serial port that the machine must have been made with."""

import base64
import contextlib
import secrets
from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.abc
import msgspec

from minicloud.base import trace
from minicloud.base.errors import CloudError, Conflict, Failed, NotOffered
from minicloud.drivers.hypervisor import Hardware
from minicloud.drivers.hypervisor.qemu.folder import FROZEN, Folder
from minicloud.drivers.hypervisor.qemu.vm import Vm

SOCKET = "agent"
_LIMIT_S = 5.0
_FREEZE_LIMIT_S = 60.0
"""A guest writes out all that it has before its file systems stand still."""
_LINE_LIMIT = 1 << 16


async def set_password(vm: Vm, user: str, password: str) -> None:
    """As the promise's ``ensure_password``."""
    async with vm.by_itself() as (record, qmp):
        if qmp is None:
            raise Conflict(f"machine {vm.machine_id} is {record.power}: nobody in it can be told")
        if not record.machine.hardware.guest_agent:
            raise Conflict("QEMU guest agent is not enabled", kind="no_agent")
        encoded = base64.b64encode(password.encode()).decode()
        arguments = {"username": user, "password": encoded, "crypted": False}
        await ask(vm.folder, "guest-set-user-password", arguments)


@contextlib.asynccontextmanager
async def frozen(folder: Folder, hardware: Hardware) -> AsyncIterator[None]:
    """The guest's file systems stand still on disk meanwhile, where an agent can be asked.

    Raises Conflict (kind ``no_agent``), NotOffered, Failed: only where no copy is wanted without that.
    """
    asked, mark = False, folder.path / FROZEN
    try:
        try:
            if not hardware.guest_agent:
                raise Conflict("QEMU guest agent is not enabled", kind="no_agent")
            await ask(folder, "guest-ping", {})
            asked = True
            mark.touch()
            count = await ask(folder, "guest-fsfreeze-freeze", {}, limit_s=_FREEZE_LIMIT_S)
            trace.note("frozen", machine=folder.path.name, file_systems=count)
        except CloudError as error:
            if hardware.quiesce:
                raise
            trace.note("not_frozen", machine=folder.path.name, why=error.message)
        yield
    finally:
        if asked:
            # Also after a failure: some of the file systems may stand still, or soon will.
            with anyio.CancelScope(shield=True):
                await _thaw(folder)


async def ensure_thawed(folder: Folder) -> None:
    """Everything goes on in a guest that stood still when an earlier process of ours ended."""
    if (folder.path / FROZEN).exists():
        await _thaw(folder)


async def _thaw(folder: Folder) -> None:
    """Everything goes on; a guest that does not answer is told of, for nobody can do more."""
    try:
        count = await ask(folder, "guest-fsfreeze-thaw", {}, limit_s=_FREEZE_LIMIT_S)
        trace.note("thawed", machine=folder.path.name, file_systems=count)
    except CloudError as error:
        trace.note("not_thawed", machine=folder.path.name, why=error.message)
    (folder.path / FROZEN).unlink(missing_ok=True)


async def ask(folder: Folder, command: str, arguments: dict[str, Any], *, limit_s: float = _LIMIT_S) -> Any:
    """The agent's answer. Raises NotOffered (it does not answer), Failed (it refuses)."""
    number = secrets.randbelow(1 << 31)
    with folder.socket(SOCKET) as path, anyio.move_on_after(limit_s):
        try:
            async with await anyio.connect_unix(path) as stream:
                lines = _Lines(stream)
                # What an earlier talk left in the line is passed over, up to the answer to this.
                await stream.send(_line({"execute": "guest-sync", "arguments": {"id": number}}))
                while (await lines.next()).get("return") != number:
                    pass
                await stream.send(_line({"execute": command, "arguments": arguments}))
                answer = await lines.next()
        except (OSError, anyio.EndOfStream, anyio.BrokenResourceError) as error:
            raise NotOffered(f"The agent of machine {folder.path.name} cannot be reached") from error
        if "error" in answer:
            raise Failed(f"The guest's agent refused {command}: {answer['error'].get('desc')}")
        return answer.get("return")
    raise NotOffered(f"The agent of machine {folder.path.name} does not answer")


class _Lines:
    """Documents as they come, a line each."""

    def __init__(self, stream: anyio.abc.SocketStream) -> None:
        self._stream = stream
        self._left = b""

    async def next(self) -> dict[str, Any]:
        """The next line that is a document."""
        while True:
            line, end, rest = self._left.partition(b"\n")
            if not end:
                if len(self._left) > _LINE_LIMIT:
                    raise Failed("The guest's agent says more than fits")
                self._left += await self._stream.receive()
                continue
            self._left = rest
            try:
                return msgspec.json.decode(line.strip(b"\xff \r"), type=dict[str, Any])
            except msgspec.MsgspecError:
                # Half an answer to somebody who did not wait for it.
                continue


def _line(document: dict[str, Any]) -> bytes:
    return msgspec.json.encode(document) + b"\n"
