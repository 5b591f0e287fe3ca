"""Programs that outlive us: started in their own session, remembered by pid and start time, found again, ended."""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import anyio
import msgspec

from minicloud.base import trace
from minicloud.base.errors import ToolFailed


class Mark(msgspec.Struct, frozen=True):
    """A process that cannot be mistaken for a later one with the same pid: start time in clock ticks since this boot."""

    pid: int
    started: int
    boot: str


def boot_id() -> str:
    """Names this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def mark(pid: int) -> Mark | None:
    """The mark of a living process; None when there is none (a zombie counts as none)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else Mark(pid, int(fields[19]), boot_id())


def read_mark(file: Path) -> Mark | None:
    """The process that a file remembers, if it still lives."""
    try:
        kept = msgspec.json.decode(file.read_bytes(), type=Mark)
    except (OSError, msgspec.DecodeError):
        return None
    return kept if mark(kept.pid) == kept else None


def write_mark(file: Path, kept: Mark) -> None:
    """Remember a process."""
    fresh = file.with_name(file.name + ".new")
    fresh.touch(mode=0o600)
    fresh.write_bytes(msgspec.json.encode(kept))
    fresh.replace(file)


def find_by_words(*words: str) -> list[Mark]:
    """Living processes of this user whose command line has all these arguments, in any place."""
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            line = Path(entry.path, "cmdline").read_bytes().decode(errors="replace").split("\0")
            if all(word in line for word in words) and entry.stat().st_uid == os.getuid():
                living = mark(int(entry.name))
                found += [living] if living else []
        except OSError:
            continue
    return found


def start_detached(argv: Sequence[str], log: Path) -> Mark:
    """Start a program in a session of its own, without stdin, both outputs to a fresh log file. Raises ToolFailed."""
    log.unlink(missing_ok=True)
    log.touch(mode=0o600)
    environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
    try:
        pid = os.posix_spawn(
            argv[0],
            list(argv),
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
            # Python ignores it, and what is ignored would be inherited; pasta refuses to start that way.
            setsigdef=[signal.SIGPIPE],
        )
    except OSError as error:
        raise ToolFailed(f"{argv[0]} could not be started: {error}", argv=list(argv), code=None, stderr="") from error
    trace.note("command", argv=list(argv), pid=pid, detached=True)
    living = mark(pid)
    if living is None:
        raise _died(argv, pid, log)
    return living


async def wait_for_word(kept: Mark, log: Path, word: bytes, argv: Sequence[str], *, limit_s: float = 20.0) -> None:
    """Wait until a program has written this word to its log. Raises ToolFailed when it ends first or takes too long."""
    deadline = time.monotonic() + limit_s
    while not _says(log, word):
        if mark(kept.pid) != kept:
            raise _died(argv, kept.pid, log)
        if time.monotonic() > deadline:
            raise ToolFailed(f"{argv[0]} was not ready after {limit_s:g} s", argv=list(argv), code=None, stderr="")
        await anyio.sleep(0.002)


async def wait_until_gone(kept: Mark) -> None:
    """Wait for the end of a process, a child of ours or not, and reap it if it is."""
    try:
        watch = os.pidfd_open(kept.pid)
    except ProcessLookupError:
        return
    try:
        if mark(kept.pid) == kept:
            await anyio.wait_readable(watch)
    finally:
        os.close(watch)
        reap(kept.pid)


async def end(kept: Mark, *, grace_s: float = 2.0) -> None:
    """The process is gone: asked by SIGTERM, after ``grace_s`` seconds made by SIGKILL."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        if mark(kept.pid) != kept:
            break
        try:
            os.kill(kept.pid, kind)
        except ProcessLookupError:
            break
        with anyio.move_on_after(grace_s):
            await wait_until_gone(kept)
    reap(kept.pid)


def reap(pid: int) -> None:
    """Let the kernel forget a child of ours that has ended."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass


def _says(log: Path, word: bytes) -> bool:
    return word in log.read_bytes()


def _died(argv: Sequence[str], pid: int, log: Path) -> ToolFailed:
    reap(pid)
    words = log.read_text(errors="replace").strip()
    last = words.splitlines()[-1] if words else "no message"
    return ToolFailed(f"{argv[0]} ended at once: {last}", argv=list(argv), code=None, stderr=words[-2000:])
