"""A cloud as its users have it: the real process, started and asked by the real commands, in a folder of the test's own."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import openstack
from openstack.connection import Connection

from minicloud.base.errors import Conflict, NotFound
from minicloud.cli import control
from minicloud.cli.folder import CONTROL
from tests.support.warm_openstack import openstack as openstack_command

Result = TypeVar("Result")

COMMANDS = Path(sys.executable).parent
PATIENCE_S = 180.0
"""Guests boot in 4 to 10 s under TCG on a quiet machine; tests share theirs with others."""
CONSOLE_BYTES = 200_000
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Trouble(AssertionError):
    """A command that did not do what the story needs, with all that it said."""


class Journey:
    """One cloud and its user's shell. ``before`` are words put before every command, such as those that become another user."""

    def __init__(
        self,
        home: Path,
        *,
        before: tuple[str, ...] = (),
        cache: Path | None = None,
        commands: Path = COMMANDS,
        **settings: object,
    ) -> None:
        self.home = home
        self.data = home / "data"
        self.environment = {
            "PATH": f"{commands}:{SYSTEM_PATH}",
            "HOME": str(home),
            "MINICLOUD_DATA": str(self.data),
            "MINICLOUD_PORT": "0",
            **{f"MINICLOUD_{name.upper()}": str(value) for name, value in settings.items()},
        }
        if cache is not None:
            self.environment["XDG_CACHE_HOME"] = str(cache)
        self._before = before
        self._connections: list[Connection] = []

    def run(self, *words: str | Path, timeout_s: float = PATIENCE_S) -> subprocess.CompletedProcess[str]:
        """Any program, as this user; it may fail."""
        if words[0] == "openstack" and not self._before:
            return openstack_command(*words[1:], environment=self.environment, cwd=self.home, timeout_s=timeout_s)
        return subprocess.run(
            [*self._before, *map(str, words)],
            env=self.environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )

    def does(self, *words: str | Path, timeout_s: float = PATIENCE_S) -> str:
        """What a program prints; it must succeed."""
        done = self.run(*words, timeout_s=timeout_s)
        if done.returncode:
            said = f"{' '.join(map(str, words))} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
            raise Trouble(f"{said}\n{self.log()}")
        return done.stdout

    def fails(self, *words: str | Path) -> str:
        """What a program says when it fails, which it must."""
        done = self.run(*words)
        if not done.returncode:
            raise Trouble(f"{' '.join(map(str, words))} should have failed, but said:\n{done.stdout}")
        assert "Traceback" not in done.stderr, done.stderr
        return done.stderr

    def tells(self, *words: str | Path) -> Any:
        """What an openstack command tells, as JSON."""
        return json.loads(self.does("openstack", *words, "-f", "json"))

    def up(self, *words: str) -> str:
        """``minicloud up``, and the shell speaks to this cloud from now on, as the README says."""
        said = self.does("minicloud", "up", "--detach", "--wait", *words)
        self.take_environment()
        return said

    def take_environment(self, *words: str) -> None:
        """``eval "$(minicloud env)"``."""
        script = 'eval "$(minicloud env "$@")" && env -0'
        got = self.does("sh", "-c", script, "sh", *words)
        self.environment = dict(line.split("=", 1) for line in got.split("\0") if line)
        for name in ("PWD", "OLDPWD", "SHLVL", "_"):
            self.environment.pop(name, None)

    def connect(self, cloud: str = "minicloud", **more: Any) -> Connection:
        """openstacksdk, by the clouds.yaml that the cloud wrote."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = openstack.config.OpenStackConfig(
                config_files=[self.environment["OS_CLIENT_CONFIG_FILE"]], load_envvars=False
            ).get_one(cloud=cloud, **more)
            connection = openstack.connection.Connection(config=made)
        self._connections.append(connection)
        return connection

    def facts(self) -> dict[str, Any]:
        """What ``minicloud status --json`` tells."""
        told: dict[str, Any] = json.loads(self.run("minicloud", "status", "--json").stdout)
        return told

    def pid(self) -> int:
        """The process of the cloud."""
        return int((self.data / "minicloud.pid").read_text())

    def log(self) -> str:
        """The end of what the cloud itself wrote."""
        path = self.data / "minicloud.log"
        return f"--- {path}\n{path.read_text()[-3000:]}" if path.exists() else ""

    def kill(self) -> None:
        """kill -9."""
        self.close()
        pid = self.pid()
        os.kill(pid, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{pid}").exists() or _state(pid) == "Z", "the cloud's process is dead")

    def guests(self) -> dict[str, int]:
        """The pids of its QEMU processes, by server."""
        found = {}
        for pid, words in processes():
            if "-uuid" in words and str(self.data) in " ".join(words):
                found[words[words.index("-uuid") + 1]] = pid
        return found

    def ports(self) -> list[str]:
        """The ids of the ports that its fabric knows; those of root's namespaces must be those of the taps that stand there."""
        known = sorted(path.name.partition(".")[0] for path in (self.data / "fabric" / "ports").glob("[0-9a-f]*"))
        if os.geteuid() == 0 and not self._before:
            taps = []
            for name in namespaces(self.cloud_id()):
                links = subprocess.run(["ip", "-n", name, "-json", "link"], capture_output=True, check=True).stdout
                taps += [link["ifalias"] for link in json.loads(links) if link["ifname"].startswith("tap")]
            assert sorted(taps) == known
        return known

    def cloud_id(self) -> str:
        """The short name by which its namespaces and programs are marked."""
        return (self.data / "cloud-id").read_text().strip()

    def console(self, server: str) -> str:
        """``minicloud console``, which costs a third of what the openstack command costs."""
        return self.does("minicloud", "console", server, "--bytes", str(CONSOLE_BYTES))

    def wait_for_console(self, server: str, text: str, *, times: int = 1) -> str:
        """The console once it holds this text so many times."""
        seen = ""

        def there() -> bool:
            # What the command asks, without the command: a Python that starts again and again keeps the guest from booting.
            nonlocal seen
            # While it is being built it has no host yet, or its host no machine.
            with contextlib.suppress(NotFound, Conflict):
                seen = control.ask(
                    self.data / CONTROL, "console", server=server, tail_bytes=CONSOLE_BYTES, timeout_s=PATIENCE_S
                )
            return seen.count(text) >= times

        until(there, lambda: f"{text!r} on the console of {server}, which ends with:\n{seen[-3000:]}")
        return seen

    def close(self) -> None:
        """Let go of the SDK's connections."""
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    def end(self) -> list[str]:
        """Purge it, and whatever a broken cloud leaves after that; what had to be cleaned behind its back, in words."""
        self.close()
        if not self.data.exists():
            return []
        cloud_id = self.cloud_id() if (self.data / "cloud-id").exists() else None
        done = self.run("minicloud", "down", "--stop-servers", "--purge", "--yes")
        left = [f"minicloud down: {done.stderr}"] if done.returncode else []
        found = leftovers(self.data, cloud_id)
        for pid in [pid for pid, _ in processes(self.data, cloud_id)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for name in namespaces(cloud_id):
            subprocess.run(["ip", "netns", "delete", name], check=False)
        shutil.rmtree(self.data, ignore_errors=True)
        return left + found


@contextlib.contextmanager
def a_journey(home: Path, **given: Any) -> Iterator[Journey]:
    """A cloud's user, with nothing left of the cloud afterwards; that nothing had to be cleaned by hand is part of every story."""
    home.mkdir(parents=True, exist_ok=True)
    journey = Journey(home, **given)
    try:
        yield journey
    except BaseException:
        journey.end()
        raise
    left = journey.end()
    assert not left, left


def until(done: Callable[[], Any], what: str | Callable[[], str], *, patience_s: float = PATIENCE_S) -> None:
    """Wait for something that happens by itself."""
    limit = time.monotonic() + patience_s
    while not done():
        if time.monotonic() > limit:
            raise Trouble(f"after {patience_s:g} s still not: {what if isinstance(what, str) else what()}")
        time.sleep(0.1)


def leftovers(data: Path, cloud_id: str | None) -> list[str]:
    """What a cloud left on this machine, in words: processes, namespaces, devices, files."""
    found = [f"process {pid}: {' '.join(words)}" for pid, words in processes(data, cloud_id)]
    found += [f"namespace {name}" for name in namespaces(cloud_id)]
    if cloud_id is not None:
        links = subprocess.run(["ip", "-details", "-json", "link"], capture_output=True, check=True).stdout
        alias = f"minicloud/{cloud_id}/"
        found += [
            f"device {link['ifname']}" for link in json.loads(links) if str(link.get("ifalias", "")).startswith(alias)
        ]
    if data.exists():
        found.append(f"the folder {data}")
    return found


def processes(data: Path | None = None, cloud_id: str | None = None) -> list[tuple[int, list[str]]]:
    """Running processes (pid, words), all or those that speak of a folder or a cloud, or stand in the folder."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            words = Path("/proc", entry, "cmdline").read_bytes().decode(errors="replace").split("\0")
            cwd = os.readlink(f"/proc/{entry}/cwd")
        except OSError:
            continue
        line = " ".join(words)
        ours = data is None or str(data) in line or (cwd + "/").startswith(f"{data}/")
        if ours or (cloud_id is not None and (cloud_id in words or f"mc-{cloud_id}-" in line)):
            found.append((int(entry), words))
    return found


def namespaces(cloud_id: str | None) -> list[str]:
    """Names of a cloud's network namespaces."""
    if cloud_id is None or not os.path.isdir("/run/netns"):
        return []
    return sorted(name for name in os.listdir("/run/netns") if name.startswith(f"mc-{cloud_id}-"))


def a_key(folder: Path) -> Path:
    """A fresh ssh key; the public half lies beside it."""
    path = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "a new user", "-f", str(path)], check=True)
    return path


def by_name(rows: list[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Rows of an openstack list by their name."""
    return {row["Name"]: row for row in rows}


def _state(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return "Z"
