"""A machine's memory in a file: written while its processors stand still, read by the process that takes it up again.

QEMU gets the open file and not its name: its sandbox answers the other way, a program in between, with death.
"""

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import msgspec

from minicloud.base import trace
from minicloud.base.errors import Failed
from minicloud.drivers.hypervisor import Machine
from minicloud.drivers.hypervisor.qemu.qmp import Qmp

_LIMIT_S = 600.0
_POLL_S = 0.02
_FAST = 1 << 40
"""Bytes a second: a file needs no consideration."""


async def save(qmp: Qmp, folder: Path) -> None:
    """Stop the processors, and write the memory into the folder's file ``memory``. Raises Failed: nothing is written then."""
    file, fresh = folder / "memory", folder / ".memory.new"
    status = await qmp.status()
    if status.status == "postmigrate" and file.exists():
        return  # An earlier process of ours came as far as this.
    await qmp.stop()
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Failed(f"{fresh} cannot be written: {error.strerror}") from error
    try:
        await qmp.execute("migrate-set-parameters", {"max-bandwidth": _FAST})
        await qmp.execute("getfd", {"fdname": "memory"}, descriptor=descriptor)
        await qmp.execute("migrate", {"uri": "fd:memory"})
        await _until(qmp, "the memory was written")
        os.fsync(descriptor)
        os.replace(fresh, file)
    except (OSError, Failed) as error:
        fresh.unlink(missing_ok=True)
        raise Failed(f"the memory cannot be written to {file}: {error}") from error
    finally:
        os.close(descriptor)
    trace.note("memory_saved", bytes=file.stat().st_size)


async def _until(qmp: Qmp, what: str) -> None:
    with anyio.move_on_after(_LIMIT_S):
        while True:
            found = await qmp.execute("query-migrate")
            if found.get("status") == "completed":
                return
            if found.get("status") in ("failed", "cancelled"):
                raise Failed(f"QEMU gave up before {what}: {found.get('error-desc', found['status'])}")
            await anyio.sleep(_POLL_S)
    raise Failed(f"{_LIMIT_S:g} s passed before {what}")


@contextlib.asynccontextmanager
async def saved(folder: Path, suspended: bool) -> AsyncIterator[int | None]:
    """The open file of a machine that is suspended; None for any other. Raises Failed when the file is not there."""
    if not suspended:
        yield None
        return
    try:
        descriptor = os.open(folder / "memory", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise Failed(
            f"the memory in {folder} cannot be read: {error.strerror}; a hard reboot starts without it"
        ) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def incoming(descriptor: int | None, awaited: bool = False) -> list[str]:
    """Arguments for QEMU to begin with this memory, or to wait for one from elsewhere."""
    if awaited:
        return ["-incoming", "unix:incoming"]
    return [] if descriptor is None else ["-incoming", f"fd:{descriptor}"]


async def restored(qmp: Qmp) -> None:
    """All memory has been read; the processors still stand. Raises Failed."""
    with anyio.move_on_after(_LIMIT_S):
        while True:
            if (await qmp.status()).status != "inmigrate":
                return
            await anyio.sleep(_POLL_S)
    raise Failed(f"QEMU did not read the memory within {_LIMIT_S:g} s")


def forget(folder: Path) -> None:
    """The file is of no use any more."""
    (folder / "memory").unlink(missing_ok=True)


def as_it_was(suspended: Machine, wished: Machine) -> Machine:
    """The machine that the memory knows, its cards plugged in as they are wired now."""
    wired = {nic.id: nic.plug for nic in wished.nics}
    nics = [msgspec.structs.replace(nic, plug=wired.get(nic.id, nic.plug)) for nic in suspended.nics]
    return msgspec.structs.replace(suspended, nics=nics)
