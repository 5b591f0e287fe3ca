"""One shell in a real guest that stays open: a command costs what it costs there, and no new connection."""

import contextlib
import os
import select
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.journeys import PATIENCE_S, Journey, Trouble

_END = "the-end-of-it"
GOODBYE_S = 5.0
"""For a guest that can still be reached."""


class Shell:
    """``minicloud ssh SERVER -- sh``, which waits for a guest that still boots. Also a connection that must outlive what is done to networks."""

    def __init__(self, cloud: Journey, server: str, key: Path) -> None:
        self._cloud, self._server = cloud, server
        self._complaints = cloud.home / f"shell-{server}.stderr"
        words = ["minicloud", "ssh", server, "--wait", str(PATIENCE_S), "-i", str(key), "-o", "BatchMode=yes"]
        with self._complaints.open("wb") as complaints:
            self._process = subprocess.Popen(
                [*words, "--", "sh"],
                env=cloud.environment,
                cwd=cloud.home,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trail: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up, as one who leaves: what carries the connection would wait for ever for a guest that goes before it has heard."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(GOODBYE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def run(self, command: str, *, patience_s: float = PATIENCE_S) -> tuple[int, str]:
        """How a command ends, and what it says. Raises Trouble when the guest does not answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"( {command} ) </dev/null 2>&1; code=$?; echo; echo {_END} $code\n".encode())
        self._process.stdin.flush()
        said, give_up = b"", time.monotonic() + patience_s
        while True:
            text, mark, code = said.decode(errors="replace").rpartition(f"\n{_END} ")
            if mark and code.endswith("\n"):
                return int(code), text.rstrip("\n")
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, give_up - time.monotonic()))
            data = os.read(self._process.stdout.fileno(), 65536) if ready else b""
            if not data:
                heard = f"{said.decode(errors='replace')}\n{self._complaints.read_text()}"
                seen = self._cloud.console(self._server)[-3000:]
                raise Trouble(f"{self._server} does not answer {command!r}: {heard}\nits console ends with:\n{seen}")
            said += data

    def does(self, command: str) -> str:
        """What a command says; it must succeed."""
        code, said = self.run(command)
        if code:
            raise Trouble(f"{command!r} in {self._server} ended with {code}: {said}")
        return said
