"""A real QEMU guest for tests, and a metadata service that it alone can reach."""

import contextlib
import http.server
import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minicloud.base import tools

PATIENCE_S = 180.0
"""Boots take 3 to 5 s on a quiet machine; tests share theirs with others."""


class Machine:
    """A running guest: its console is read all the time, its keyboard and its QMP socket are at hand."""

    def __init__(self, folder: Path, *arguments: str, memory_mb: int = 256) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._qmp, self._serial = folder / "qmp", folder / "serial"
        self._errors = folder / "errors"
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [
                    *(
                        tools.need("qemu-system-x86_64"),
                        "-accel",
                        "tcg",
                        "-m",
                        str(memory_mb),
                        "-nodefaults",
                        "-no-user-config",
                    ),
                    *("-display", "none", "-chardev", f"socket,id=qmp,path={self._qmp},server=on,wait=off"),
                    *("-mon", "chardev=qmp,mode=control"),
                    *(
                        "-chardev",
                        f"socket,id=serial,path={self._serial},server=on,wait=on",
                        "-serial",
                        "chardev:serial",
                    ),
                    *("-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng"),
                    *arguments,
                ],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
            )
        self.console = ""
        self._line = self._connect(self._serial)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._control: Any = None

    def _connect(self, path: Path) -> socket.socket:
        for _ in range(400):
            line = socket.socket(socket.AF_UNIX)
            try:
                line.connect(str(path))
                return line
            except OSError:
                line.close()
                if self.process.poll() is not None:
                    raise AssertionError(f"QEMU ended: {self._errors.read_text()}") from None
                time.sleep(0.05)
        raise AssertionError(f"QEMU never opened {path}")

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._line.recv(65536):
                # The guest's shell asks the terminal where its cursor is; a test has no use for that.
                self.console = (self.console + data.decode(errors="replace")).replace("\r", "").replace("\x1b[6n", "")

    def wait_for(self, text: str, *, since: int = 0, patience_s: float = PATIENCE_S) -> str:
        """The first whole console line with ``text`` in it, from the character ``since`` on."""
        limit = time.monotonic() + patience_s
        while time.monotonic() < limit:
            at = self.console.find(text, since)
            if at >= 0 and (end := self.console.find("\n", at)) >= 0:
                return self.console[self.console.rfind("\n", 0, at) + 1 : end]
            if self.process.poll() is not None and not self._reader.is_alive():
                break
            time.sleep(0.05)
        raise AssertionError(
            f"{text!r} never came; the console ends with:\n{self.console[-3000:]}\n{self._errors.read_text()}"
        )

    def facts(self, since: int = 0) -> list[str]:
        """What the guest said about itself: the ``minilinux:`` lines without that word."""
        lines = self.console[since:].splitlines()
        return [line.split("minilinux: ", 1)[1] for line in lines if "minilinux: " in line]

    def log_in(self, password: str) -> None:
        """Log in as root at the serial console."""
        self.wait_for_prompt("login: ")
        self.type("root")
        self.wait_for_prompt("Password: ")
        self.type(password)

    def wait_for_prompt(self, prompt: str, patience_s: float = PATIENCE_S) -> None:
        """Wait until the console shows a prompt; asks for a new one by an empty line when something was printed over it."""
        limit = time.monotonic() + patience_s
        asked = time.monotonic()
        while not self.console.endswith(prompt):
            assert time.monotonic() < limit, f"no {prompt!r}; the console ends with:\n{self.console[-2000:]}"
            if time.monotonic() - asked > 2:
                self.type("")
                asked = time.monotonic()
            time.sleep(0.05)

    def type(self, text: str) -> None:
        """Type a line at the serial console."""
        self._line.sendall(text.encode() + b"\n")

    def ask(self, command: str, **arguments: Any) -> Any:
        """A QMP command and its answer."""
        if self._control is None:
            line = self._connect(self._qmp)
            line.settimeout(PATIENCE_S)
            self._control = line.makefile("rw")
            self._control.readline()
            self.ask("qmp_capabilities")
        self._control.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._control.flush()
        while True:
            answer = json.loads(self._control.readline())
            assert "error" not in answer, answer
            if "return" in answer:
                return answer["return"]

    def end(self, patience_s: float = PATIENCE_S) -> int:
        """Wait for QEMU to end by itself; its exit code."""
        return self.process.wait(patience_s)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self._line.close()
        if self._control is not None:
            self._control.close()


@contextlib.contextmanager
def machine(folder: Path, *arguments: str, memory_mb: int = 256) -> Iterator[Machine]:
    """A guest that is gone afterwards."""
    guest = Machine(folder, *arguments, memory_mb=memory_mb)
    try:
        yield guest
    finally:
        guest.kill()


class _UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    pages: dict[str, bytes]
    asked: list[str]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _UnixServer

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        page = self.server.pages.get(self.path)
        self.send_response(404 if page is None else 200)
        self.send_header("Content-Length", str(len(page or b"")))
        self.end_headers()
        self.wfile.write(page or b"")

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Metadata:
    """A metadata service on a unix socket. ``pages`` may be changed while it runs; ``asked`` are the paths asked for."""

    def __init__(self, path: Path) -> None:
        self.pages: dict[str, bytes] = {}
        self.asked: list[str] = []
        self._path = path

    def tell(self, user_data: str | None = None, **meta: Any) -> None:
        """Serve this meta_data.json and user data."""
        self.pages = {"/openstack/latest/meta_data.json": json.dumps(meta).encode()}
        if user_data is not None:
            self.pages["/openstack/latest/user_data"] = user_data.encode()

    def network(self, *, ssh_port: int) -> list[str]:
        """QEMU's arguments for a card behind which this service answers; the guest's ssh is on a port of the loopback."""
        relay = f"{sys.executable} {Path(__file__).parent / 'relay.py'} {self._path}"
        user = f"user,id=n0,net=169.254.0.0/16,hostfwd=tcp:127.0.0.1:{ssh_port}-:22,guestfwd=tcp:169.254.169.254:80-cmd:{relay}"
        return ["-netdev", user, "-device", "virtio-net-pci,netdev=n0,mac=52:54:00:00:00:01"]

    @contextlib.contextmanager
    def served(self) -> Iterator["Metadata"]:
        server = _UnixServer(str(self._path), _Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        try:
            # The handler must see later changes, so it gets the lists and not copies.
            server.asked = self.asked
            server.pages = _Live(self)
            thread.start()
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
            self._path.unlink(missing_ok=True)


class _Live(dict[str, bytes]):
    def __init__(self, service: Metadata) -> None:
        super().__init__()
        self._service = service

    def get(self, key: str, default: Any = None) -> Any:
        return self._service.pages.get(key, default)


def free_port() -> int:
    """A TCP port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def disk_arguments(
    path: Path, *, format: str = "qcow2", name: str = "root", serial: str | None = None, readonly: bool = False
) -> list[str]:
    """QEMU's arguments for one virtio disk."""
    drive = f"file={path},if=none,id={name},format={format}" + (",readonly=on" if readonly else "")
    return ["-drive", drive, "-device", f"virtio-blk-pci,drive={name}" + (f",serial={serial}" if serial else "")]


def overlay(base: Path, path: Path, size: str, *, format: str = "qcow2") -> Path:
    """A disk of this size on top of an image."""
    subprocess.run(
        [tools.need("qemu-img"), "create", "-q", "-f", "qcow2", "-b", str(base), "-F", format, str(path), size],
        check=True,
    )
    return path


def ssh(port: int, key: Path, *command: str, input: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run a command in the guest as root by ssh."""
    options = (
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "BatchMode=yes",
        "ConnectTimeout=60",
        "LogLevel=ERROR",
    )
    return subprocess.run(
        [
            *(tools.need("ssh"), "-F", "/dev/null", "-p", str(port), "-i", str(key)),
            *(word for option in options for word in ("-o", option)),
            *("root@127.0.0.1", *command),
        ],
        input=input,
        capture_output=True,
        timeout=PATIENCE_S,
        env={"PATH": os.environ.get("PATH", ""), "HOME": str(key.parent)},
    )
