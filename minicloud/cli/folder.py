"""A cloud's data folder as the command line sees it: private, locked by the one process that runs it, with its address in a file."""

import fcntl
import os
import time
from pathlib import Path
from typing import Any

import msgspec

from minicloud.base.errors import Conflict, Invalid, NotFound, Unavailable

LOCK, PID, FACTS, LOG, CONTROL, CLOUDS = (
    "minicloud.lock",
    "minicloud.pid",
    "minicloud.json",
    "minicloud.log",
    "control.sock",
    "clouds.yaml",
)
_OURS = frozenset({LOCK, LOG, "minicloud.toml"})
_PATIENCE_S = 0.5


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """What a running cloud tells other commands. ``url`` is where this machine reaches it; ``started_at`` seconds since the epoch."""

    pid: int
    url: str
    listen: str
    port: int
    started_at: float
    version: str
    settings: dict[str, Any]


class Folder:
    """The data folder of one cloud."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def file(self, name: str) -> Path:
        """The path of a file in the folder."""
        return self.path / name

    def prepare(self) -> None:
        """Make it, for this user alone.

        Raises:
            Invalid: it holds somebody's other things, which a cloud must not be mixed with.
            Unavailable: it cannot be made.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            held = {entry.name for entry in os.scandir(self.path)}
            if held and not held & _OURS:
                raise Invalid(
                    f"the folder {self.path} holds other things ({', '.join(sorted(held)[:3])}): "
                    "give --data an empty or a new folder"
                )
            self.path.chmod(0o700)
        except OSError as error:
            raise Unavailable(
                f"the data folder {self.path} cannot be used: {error.strerror}; give another with --data"
            ) from error

    def is_ours(self) -> bool:
        """Whether a cloud has ever been up in it."""
        return self.file(LOCK).is_file()

    def lock(self) -> int:
        """Take the folder for this process, until it ends; the descriptor. Raises Conflict when another has it."""
        descriptor = os.open(self.file(LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        give_up = time.monotonic() + _PATIENCE_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                # A command that only looks holds the lock for a moment, too.
                if time.monotonic() > give_up:
                    os.close(descriptor)
                    raise in_use(self) from None
                time.sleep(0.02)
        for stale in (FACTS, CONTROL):
            self.file(stale).unlink(missing_ok=True)
        write_private(self.file(PID), f"{os.getpid()}\n".encode())
        return descriptor

    def locked(self) -> bool:
        """Whether a process has it."""
        try:
            descriptor = os.open(self.file(LOCK), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def pid(self) -> int | None:
        """The process that has, or had, the folder."""
        try:
            return int(self.file(PID).read_text())
        except (FileNotFoundError, ValueError):
            return None

    def running(self) -> Running | None:
        """The cloud that runs here and answers; None when none does, or not yet."""
        try:
            facts = msgspec.json.decode(self.file(FACTS).read_bytes(), type=Running)
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        return facts if self.locked() else None

    def need_running(self) -> Running:
        """The cloud that runs here. Raises NotFound."""
        running = self.running()
        if running is None:
            raise NotFound(f"no cloud is up in {self.path}: start it with `minicloud up{self.option()}`")
        return running

    def announce(self, running: Running) -> None:
        """Tell other commands where the cloud answers."""
        write_private(self.file(FACTS), msgspec.json.format(msgspec.json.encode(running), indent=1) + b"\n")

    def withdraw(self) -> None:
        """The cloud has stopped."""
        for name in (FACTS, CONTROL, PID):
            self.file(name).unlink(missing_ok=True)

    def option(self) -> str:
        """The words that other commands need to find this folder: none for the usual one."""
        from minicloud.settings import default_data

        return "" if str(self.path) == default_data() else f" --data {self.path}"


def in_use(folder: Folder) -> Conflict:
    """The error that says who has the folder."""
    running = folder.running()
    where = f" at {running.url}" if running is not None else ", which is starting or stopping"
    return Conflict(
        f"the folder {folder.path} is in use by process {folder.pid() or 'unknown'}{where}: "
        f"stop it with `minicloud down{folder.option()}`, or give another folder with --data",
        kind="in_use",
    )


def write_private(path: Path, content: bytes) -> None:
    """Replace a file in one step, readable by its owner alone."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
    part.replace(path)
