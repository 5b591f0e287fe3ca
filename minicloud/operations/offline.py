"""A cloud without its process: reading the files that it left, or that it is writing, and removing all that it ever made."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

# Drivers and products are imported where a purge needs them, as reading a folder, which `minicloud status` does, does not.
from minicloud.base.clock import SystemClock
from minicloud.base.errors import Conflict, NotFound
from minicloud.base.ids import RandomIds
from minicloud.base.tools import find
from minicloud.base.trace import Note
from minicloud.base.trace_file import TraceReader
from minicloud.engines.database import Transaction
from minicloud.engines.database.transaction import SqliteTransaction, connect

T = TypeVar("T")
Progress = Callable[[str], None]
DATABASE, TRACE, HOSTS = "cloud.db", "trace.db", "hosts"


def has_records(data: Path) -> bool:
    """Whether there is a file to read; a cloud in memory has none."""
    return (data / DATABASE).is_file()


def read(data: Path, fn: Callable[[Transaction], T]) -> T:
    """Run a function on the rows of a data folder, also beside the process that writes them. Raises NotFound."""
    with _records(data) as tx:
        return fn(tx)


def notes(data: Path, **which: Any) -> list[Note]:
    """Notes of the trace file, as ``TraceReader.read``. Raises NotFound."""
    with TraceReader(str(data / TRACE)) as reader:
        return reader.read(**which)


async def purge(data: Path, tell: Progress) -> list[str]:
    """End every guest, and remove every namespace, device and process of a cloud that does not run; what was done, in words.

    The folder itself is left to the caller. Raises CloudError when something cannot be removed.
    """
    done: list[str] = []
    tell("ending the guests")
    ended = await _end_guests(data)
    if ended:
        done.append(f"ended {ended} guest{'s' if ended > 1 else ''}")
    tell("removing the networks")
    if await _remove_networks(data):
        done.append("removed its networks")
    return done


async def _end_guests(data: Path) -> int:
    from minicloud.drivers.hypervisor import PowerState
    from minicloud.drivers.hypervisor.qemu.driver import QemuHypervisor

    async def nobody_listens(machine_id: str, state: PowerState) -> None:
        pass

    ended = 0
    for folder in sorted((data / HOSTS).glob("*")):
        hypervisor = QemuHypervisor(folder, accel="tcg")
        await hypervisor.open(nobody_listens)
        try:
            for machine in await hypervisor.machines():
                await hypervisor.ensure_gone(machine.id)
                ended += 1
        finally:
            await hypervisor.close()
    return ended


async def _remove_networks(data: Path) -> bool:
    from minicloud.drivers.fabric.linux import LinuxFabric
    from minicloud.drivers.fabric.user import UserFabric
    from minicloud.products import cloud_id

    where = data / "fabric"
    if not where.exists():
        return False
    if all(find(program) for program in ("ip", "nsenter")):
        # Which of both it was depends on what the machine allowed then: neither minds that it was the other.
        for rootless in (False, True) if os.geteuid() == 0 else (True,):
            await LinuxFabric(cloud_id(data), where, rootless=rootless).purge()
    await UserFabric(where).purge()
    return True


@contextmanager
def _records(data: Path) -> Iterator[SqliteTransaction]:
    path = data / DATABASE
    if not path.is_file():
        raise NotFound(
            f"no cloud has ever been up in {data}: start one with `minicloud up`, or give its folder with --data"
        )
    connection = connect(str(path), read_only=True)
    try:
        connection.execute("BEGIN")
        (schema,) = connection.execute("PRAGMA user_version").fetchone()
        if not schema:
            raise Conflict(f"{path} is being made: try again in a moment")
        yield SqliteTransaction(connection, SystemClock(), RandomIds())
    finally:
        connection.close()
