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
from minicloud.drivers.hypervisor import Machine, PowerState
from minicloud.drivers.hypervisor.qemu.command import UEFI_VARIABLES
from minicloud.drivers.hypervisor.qemu.layout import Layout
from minicloud.drivers.privatefolder import make_private

_OWN = (
    *("qmp", "monitor", "serial", "agent", "pid", "qemu.log", "vars.fd", "incoming", "nbd"),
    *("console.log", "console.log.1", "memory", ".memory.new", ".machine.json.new", "machine.json"),
)
_CONSOLE_LIMIT = 4 << 20
_CONSOLE_KEPT = 1 << 20
_COMPLAINT_LIMIT = 500


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What must be known of a machine by a process that never saw it: ``machine.json``.

    ``wanted`` tells whether it shall run; ``power`` is its state when it does not. ``pid`` is None while it is being started.
    ``machine`` and ``layout`` go along with what is attached and detached; ``argv`` is the line of the last start.
    ``awaited``: its guest is still on another host.
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

    @classmethod
    def of(cls, machine: Machine, accelerator: str, argv: list[str], layout: Layout, awaited: bool) -> "Record":
        """A machine that is about to run."""
        return cls(
            machine=machine, wanted="running", accelerator=accelerator, argv=argv, layout=layout, awaited=awaited
        )


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
        """No socket or pid file of an earlier process is in the way of the next."""
        for name in ("qmp", "monitor", "serial", "agent", "pid", "incoming", "nbd"):
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
