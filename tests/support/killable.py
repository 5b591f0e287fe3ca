"""A real ``minicloud up`` in a process of its own, to be killed at any moment and started again on the same folder."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import anyio
import httpx
import msgspec

START_LIMIT_S = 60.0
PASSWORD = "secret"


class Killable:
    """One data folder and the process that runs a cloud on it, when there is one."""

    def __init__(self, folder: Path, *flags: str, **settings: str) -> None:
        self.folder = folder
        self.url = ""
        self.starts = 0
        self._flags = flags
        self._settings = {f"MINICLOUD_{name.upper()}": value for name, value in settings.items()}
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder.parent / f"{folder.name}.out"

    @property
    def output(self) -> str:
        """What the process has said in this life."""
        return self._log.read_text(errors="replace")

    def begin(self) -> None:
        """Start the process, and wait for nothing."""
        assert self._process is None, "it runs already"
        self.starts += 1
        command = [sys.executable, "-m", "minicloud", "up", "--data", str(self.folder), "--port", "0", *self._flags]
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "MINICLOUD_ADMIN_PASSWORD": PASSWORD, **self._settings},
            )

    async def up(self) -> None:
        """Wait until it answers. Fails the test when it ends instead."""
        give_up = time.monotonic() + START_LIMIT_S
        while time.monotonic() < give_up:
            found = re.search(r"is up at (http://\S+)", self.output)
            if found:
                self.url = found[1]
                return
            assert self._process is not None
            assert self._process.poll() is None, f"the cloud ended by itself:\n{self.output}"
            await anyio.sleep(0.005)
        raise AssertionError(f"the cloud did not come up in {START_LIMIT_S:g} s:\n{self.output}")

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        self.begin()
        await self.up()

    def kill(self) -> None:
        """SIGKILL: it has no chance to say or write anything more. Fails the test when it has ended before by itself."""
        process, self._process = self._process, None
        assert process is not None
        assert process.poll() is None, f"the cloud ended by itself:\n{self.output}"
        process.send_signal(signal.SIGKILL)
        process.wait()

    def end(self) -> None:
        """For the end of a test: nothing of it runs any more."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    async def sign_in(self, user: str, project: str, *, name: str = "latest") -> dict[str, str]:
        """The headers of somebody signed in, asking in the newest microversion."""
        who = {"name": user, "domain": {"id": "default"}, "password": PASSWORD}
        auth = {
            "identity": {"methods": ["password"], "password": {"user": who}},
            "scope": {"project": {"name": project, "domain": {"id": "default"}}},
        }
        async with httpx.AsyncClient(base_url=self.url, timeout=30) as http:
            answer = await http.post("/identity/v3/auth/tokens", json={"auth": auth})
        assert answer.status_code == 201, answer.text
        return {"X-Auth-Token": answer.headers["x-subject-token"], "OpenStack-API-Version": f"compute {name}"}


def end_guests(folder: Path) -> None:
    """No real guest of this data folder runs on."""
    for record in folder.glob("hosts/*/instances/*/machine.json"):
        pid = msgspec.json.decode(record.read_bytes()).get("pid")
        if pid and _is_of(pid, str(record.parent)):
            os.kill(pid, signal.SIGKILL)


def _is_of(pid: int, folder: str) -> bool:
    """Whether this process is the QEMU of that folder, and not one that got its number later."""
    try:
        return folder.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
