"""A machine's folder: the hypervisor's own files in it, the record that survives us, sockets, and the console's log.

Storage keeps disks in the same folder; what is listed here is removed, the rest is left, and the folder goes when it is empty.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from minicloud.base.errors import Failed
from minicloud.drivers.hypervisor import Disk, Machine, PowerState
from minicloud.drivers.hypervisor.qemu.command import UEFI_VARIABLES
from minicloud.drivers.hypervisor.qemu.layout import Layout, node_name, second_node_name
from minicloud.drivers.privatefolder import make_private

FROZEN = "frozen"
"""Lies there while the guest's file systems stand still for us."""
_OWN = (
    *("qmp", "monitor", "serial", "agent", "pid", "qemu.log", "vars.fd", "incoming", "nbd", FROZEN),
    *("console.log", "console.log.1", "memory", ".memory.new", ".machine.json.new", "machine.json"),
)
_CONSOLE_LIMIT = 4 << 20
_CONSOLE_KEPT = 1 << 20
_COMPLAINT_LIMIT = 500


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What must be known of a machine by a process that never saw it: ``machine.json``.

    ``wanted`` tells whether it shall run; ``power`` is its state when it does not. ``pid`` is None while it is being started.
    ``machine`` and ``layout`` go along with what is attached and detached; ``argv`` is the line of the last start.
    ``awaited``: its guest is still on another host. ``second``: disks that moved to another file, so that the guest reads the
    second of their two nodes. ``leaving``: what a disk was before a move whose last step is under way.
    """

    machine: Machine
    wanted: Literal["running", "shutdown"]
    power: PowerState = PowerState.SHUTDOWN
    pid: int | None = None
    started: int | None = None
    accelerator: str = ""
    argv: list[str] = []
    layout: Layout = Layout()
    awaited: bool = False
    second: list[str] = []
    leaving: dict[str, Disk] = {}

    @classmethod
    def of(cls, machine: Machine, accelerator: str, argv: list[str], layout: Layout, awaited: bool) -> "Record":
        """A machine that is about to run."""
        return cls(
            machine=machine, wanted="running", accelerator=accelerator, argv=argv, layout=layout, awaited=awaited
        )

    def disk(self, disk_id: str) -> Disk:
        """A disk that the machine has."""
        return next(disk for disk in self.machine.disks if disk.id == disk_id)

    def with_disk(self, disk: Disk) -> "Record":
        """The same with this disk, in place of the one with its id if there is one."""
        disks = [disk if known.id == disk.id else known for known in self.machine.disks]
        if disk not in disks:
            disks.append(disk)
        return msgspec.structs.replace(self, machine=msgspec.structs.replace(self.machine, disks=disks))

    def node(self, disk_id: str) -> str:
        """QEMU's name of the node that the guest reads."""
        return second_node_name(disk_id) if disk_id in self.second else node_name(disk_id)

    def other_node(self, disk_id: str) -> str:
        """The name that is free for the file to which the disk moves."""
        return node_name(disk_id) if disk_id in self.second else second_node_name(disk_id)

    def switched(self, disk_id: str, *, leaving: Disk | None = None) -> "Record":
        """The guest reads the other one of the disk's two nodes; ``leaving``: as soon as its move has ended."""
        second = [one for one in self.second if one != disk_id]
        second += [disk_id] if disk_id not in self.second else []
        left = self.leaving if leaving is None else {**self.leaving, disk_id: leaving}
        return msgspec.structs.replace(self, second=second, leaving=left)

    def settled(self, disk_id: str) -> "Record":
        """No move of the disk is under way."""
        left = {one: disk for one, disk in self.leaving.items() if one != disk_id}
        return msgspec.structs.replace(self, leaving=left)

    def without_disk(self, disk_id: str) -> "Record":
        """The same without this disk."""
        disks = [disk for disk in self.machine.disks if disk.id != disk_id]
        second = [one for one in self.second if one != disk_id]
        machine = msgspec.structs.replace(self.machine, disks=disks)
        return msgspec.structs.replace(self.settled(disk_id), machine=machine, second=second)


class Folder:
    """``instances/<machine id>/``, private to the user."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Record | None:
        """The record; None when the hypervisor has no machine here. Raises Failed when it is damaged."""
        try:
            return msgspec.json.decode((self.path / "machine.json").read_bytes(), type=Record)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            raise Failed(f"{self.path / 'machine.json'} cannot be read: {error}") from error

    def write(self, record: Record) -> None:
        """Replace the record in one step. Raises Failed (disk full)."""
        fresh = self.path / ".machine.json.new"
        try:
            make_private(self.path)
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(record), indent=1))
            os.replace(fresh, self.path / "machine.json")
        except OSError as error:
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise Failed(f"{self.path} cannot be written: {error.strerror}; free some disk space") from error

    def remove(self) -> None:
        """None of the hypervisor's files is left, nor the folder when nothing else is in it."""
        for name in _OWN:
            (self.path / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.path.rmdir()

    def clear_sockets(self) -> None:
        """No socket, pid file or mark of an earlier process is in the way of the next."""
        for name in ("qmp", "monitor", "serial", "agent", "pid", "incoming", "nbd", FROZEN):
            (self.path / name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def socket(self, name: str) -> Iterator[str]:
        """A path to a socket in the folder that is short enough to connect to, however deep the folder lies."""
        fd = os.open(self.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield f"/proc/self/fd/{fd}/{name}"
        finally:
            os.close(fd)

    def complaint(self) -> str:
        """QEMU's own words about its end, without warnings and its name."""
        try:
            lines = (self.path / "qemu.log").read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        said = [line for line in lines if "warning:" not in line] or lines
        # One failure may take two lines: what failed, and a hint.
        return "; ".join(line.removeprefix("qemu-system-x86_64: ") for line in said)[-_COMPLAINT_LIMIT:]

    def trim_console(self) -> None:
        """The console's log stays within bounds: its last megabyte moves to ``console.log.1``.

        QEMU appends, so the file may be cut under its hands.
        """
        log = self.path / "console.log"
        try:
            size = log.stat().st_size
            if size <= _CONSOLE_LIMIT:
                return
            with log.open("rb") as file:
                file.seek(-_CONSOLE_KEPT, os.SEEK_END)
                kept = file.read()
            older = os.open(self.path / "console.log.1", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(older, "wb") as file:
                file.write(kept)
            os.truncate(log, 0)
        except FileNotFoundError:
            return

    def console(self, tail_bytes: int) -> bytes:
        """The last bytes of the console."""
        text = b""
        for name in ("console.log", "console.log.1"):
            missing = tail_bytes - len(text)
            if missing <= 0:
                break
            with contextlib.suppress(FileNotFoundError), (self.path / name).open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - missing))
                text = file.read(missing) + text
        return text

    def prepare(self, firmware: str | None) -> None:
        """Nothing is in the way of a new process, and all that it opens is there; ``firmware`` is UEFI's folder."""
        self.clear_sockets()
        self.trim_console()
        self.ensure_console()
        if firmware is not None:
            self.ensure_vars(Path(firmware) / UEFI_VARIABLES)

    def ensure_console(self) -> None:
        """The log is there and private before QEMU would make it with a mode of its own."""
        os.close(os.open(self.path / "console.log", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def ensure_vars(self, template: Path) -> None:
        """The machine has its own UEFI variables, which it keeps over restarts."""
        own = self.path / "vars.fd"
        if not own.exists():
            content = template.read_bytes()
            with open(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(content)
