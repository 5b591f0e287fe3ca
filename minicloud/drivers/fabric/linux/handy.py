"""The caller's side of the hand: a process that loads rule sets and makes taps for us, started when it is first needed."""

import json
import select
import subprocess
import threading
from pathlib import Path

from minicloud.base.errors import ToolFailed
from minicloud.drivers.fabric.linux import hand
from minicloud.drivers.fabric.linux.holder import PYTHON

_HAND = str(Path(hand.__file__).resolve())
_PATIENCE_S = 20.0


class Gone(Exception):
    """There is no hand: it could not start, or it died over this request."""


class Hand:
    """One hand; its methods block, so call them from a thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._for: int | None = None
        self._useless = False

    def load(self, user_of: int | None, path: str | None, text: str) -> None:
        """Load a rule set in the namespace at this path, all or nothing. Raises ToolFailed, Gone."""
        wrong = self._do(user_of, path, text)
        if wrong is not None:
            first = next((line for line in wrong.splitlines() if line.strip()), "nftables refused it")
            raise ToolFailed(f"nft failed: {first}", argv=["nft", "-f", "-"], code=1, stderr=wrong)

    def ensure_tap(self, user_of: int | None, path: str | None, tap: hand.Tap) -> None:
        """The tap stands in the namespace at this path. Raises ToolFailed, Gone."""
        wrong = self._do(user_of, path, tap)
        if wrong is not None:
            raise ToolFailed(f"tap {tap['name']} could not be made: {wrong}", argv=["ip"], code=1, stderr=wrong)

    def _do(self, user_of: int | None, path: str | None, what: str | hand.Tap) -> str | None:
        with self._lock:
            if self._process is not None and (self._for != user_of or self._process.poll() is not None):
                self._end()
            if self._process is None:
                self._start(user_of)
            return self._ask(json.dumps([path, what]).encode() + b"\n")

    def close(self) -> None:
        """No process is left; the next rule set starts another one."""
        with self._lock:
            self._end()

    def _start(self, user_of: int | None) -> None:
        if self._useless:
            raise Gone
        words = [*PYTHON, _HAND, "-" if user_of is None else str(user_of)]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        self._for = user_of
        try:
            self._answer()
        except Gone:
            # The library is not there, or is another one: not tried again.
            self._useless = True
            raise

    def _ask(self, line: bytes) -> str | None:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        try:
            process.stdin.write(line)
            process.stdin.flush()
        except OSError:
            self._end()
            raise Gone from None
        return self._answer()

    def _answer(self) -> str | None:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], _PATIENCE_S)
        line = process.stdout.readline() if ready else b""
        if not line:
            self._end()
            raise Gone
        found: str | None = json.loads(line)
        return found

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
