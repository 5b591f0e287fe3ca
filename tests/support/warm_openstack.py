"""The openstack command, started warm: a process that has read the client in once becomes a child for each command.

Nine tenths of what a short command costs is Python reading in the client's thousand modules. A child forked from a process
that has them already is the same program with the same words, environment and folder as the command that pip installs, whose
whole text is ``sys.exit(main())``; it ends after that one command, so that nothing is kept from one to the next.
"""

import atexit
import contextlib
import functools
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

LONGEST = 1 << 17
"""Bytes of one command with its environment; a packet of a Unix socket holds more."""


class Warm:
    """The process that waits for commands. HOME is nobody's while the client is read in: no file of this machine's user counts."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                env={"PATH": os.defpath, "HOME": "/nonexistent"},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def run(self, asked: bytes, out: IO[bytes], err: IO[bytes], timeout_s: float) -> int:
        """One command's exit code. Raises TimeoutError."""
        self._ours.settimeout(timeout_s)
        socket.send_fds(self._ours, [asked], [out.fileno(), err.fileno()])
        answer = self._ours.recv(LONGEST)
        if not answer:
            raise RuntimeError(f"the process that begins openstack commands has died of {asked!r}")
        return int(answer)

    def close(self) -> None:
        """It ends, and with it the command that is under way."""
        self._ours.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@functools.cache
def _warm() -> Warm:
    warm = Warm()
    atexit.register(warm.close)
    return warm


def openstack(
    *words: str | Path, environment: Mapping[str, str], cwd: Path, timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """What ``subprocess.run(["openstack", ...])`` gives."""
    argv = ["openstack", *map(str, words)]
    asked = json.dumps({"words": argv, "environment": dict(environment), "cwd": str(cwd)}).encode()
    assert len(asked) <= LONGEST
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            code = _warm().run(asked, out, err, timeout_s)
        except TimeoutError:
            _warm().close()
            _warm.cache_clear()
            raise subprocess.TimeoutExpired(argv, timeout_s) from None
        return subprocess.CompletedProcess(argv, code, _text(out), _text(err))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def serve(asks: socket.socket) -> None:
    """Do one command after the other, until nobody is there who could ask."""
    import openstackclient.shell  # noqa: F401

    while True:
        asked, files, _, _ = socket.recv_fds(asks, LONGEST, 2)
        if not asked:
            return
        learnt, learning = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(learnt)
            os._exit(_one_command(json.loads(asked), files, learning))
        for file in (*files, learning):
            os.close(file)
        with open(learnt) as told:
            names = told.read().split()
        _, ended = os.waitpid(pid, 0)
        asks.send(str(os.waitstatus_to_exitcode(ended)).encode())
        # While nobody waits: what this command had to read in, the next one will want too.
        for name in names:
            with contextlib.suppress(Exception):
                importlib.import_module(name)


def _one_command(asked: dict[str, Any], files: list[int], learning: int) -> int:
    """Be the command, in a process that is its own; its exit code. What it raises ends the process, as it ends the command."""
    known = set(sys.modules)
    for number, file in enumerate(files, start=1):
        os.dup2(file, number)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["cwd"])
    sys.argv = asked["words"]
    code: Any
    try:
        from openstackclient.shell import main

        code = main()
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(learning, "\n".join(sorted(set(sys.modules) - known)).encode())
    return code if isinstance(code, int) else int(code is not None)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
