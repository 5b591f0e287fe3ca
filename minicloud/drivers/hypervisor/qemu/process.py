"""A QEMU process: started in a session of its own, recognised after our own death, watched and killed by pidfd."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from minicloud.base import tools, trace
from minicloud.base.errors import Failed


class Process:
    """A living process, ours or adopted. ``code`` is its exit code once ``wait`` returned: None when it was not our child."""

    def __init__(self, pid: int) -> None:
        """Raises ProcessLookupError when there is no such process."""
        self.pid = pid
        self.code: int | None = None
        self._fd = os.pidfd_open(pid)
        self._gone = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._ended)

    @property
    def alive(self) -> bool:
        """Whether its end has not been seen yet."""
        return not self._gone.is_set()

    async def wait(self) -> None:
        """Return when the process has ended."""
        await self._gone.wait()

    def kill(self) -> None:
        """SIGKILL, to this process and no other that might have got its number."""
        if self._fd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._fd, signal.SIGKILL)

    def close(self) -> None:
        """Stop watching."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _ended(self) -> None:
        # A process that an earlier life of ours started is not our child: nobody tells us its code.
        with contextlib.suppress(ChildProcessError):
            result = os.waitid(os.P_PID, self.pid, os.WEXITED)
            if result is not None:
                self.code = result.si_status if result.si_code == os.CLD_EXITED else -result.si_status
        self.close()
        self._gone.set()


def start(argv: list[str], folder: Path, pass_fds: Sequence[int]) -> Process:
    """Start QEMU so that it outlives us: own session, no pipe to us, errors into ``qemu.log``.

    Raises:
        ToolMissing: it is not installed.
        Failed: it cannot be executed.
    """
    program = tools.need(argv[0])
    trace.note("command", argv=argv, detached=True)
    with open(os.open(folder / "qemu.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as log:
        try:
            child = subprocess.Popen(
                [program, *argv[1:]],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=pass_fds,
            )
        except OSError as error:
            raise Failed(f"{argv[0]} cannot be started: {error.strerror}") from error
    # The pidfd watches it from now on; Popen must not complain that nobody waited for it.
    child.returncode = 0
    return Process(child.pid)


def started_at(pid: int) -> int | None:
    """When a process began, in clock ticks since boot; None when there is none, or only its corpse."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])


def runs_machine(pid: int, machine_id: str, folder: Path) -> bool:
    """Whether this process is the QEMU of this machine, started in its folder."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return machine_id.encode() in words and os.path.samefile(f"/proc/{pid}/cwd", folder)
    except OSError:
        return False


def adopt(machine_id: str, folder: Path, pid: int | None, started: int | None) -> Process | None:
    """The machine's living process: by the recorded number and start time, by QEMU's own pid file, or by looking everywhere."""
    candidates = [] if pid is None else [pid]
    with contextlib.suppress(OSError, ValueError):
        candidates.append(int((folder / "pid").read_text()))
    if pid is None:
        # We died between starting it and writing its number down.
        candidates += [int(name) for name in os.listdir("/proc") if name.isdigit()]
    for number in candidates:
        try:
            process = Process(number)
        except OSError:
            continue
        # Checked while the pidfd is held, so that the number cannot change hands in between.
        began = started_at(number)
        same = began is not None and (started is None or number != pid or began == started)
        if same and runs_machine(number, machine_id, folder):
            return process
        process.close()
        if began is None:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(number, os.WNOHANG)
    return None
