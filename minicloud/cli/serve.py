"""Runs a cloud in this process: the only file that knows uvicorn. Up to the first answer, until a signal, and down again."""

import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import msgspec
import uvicorn

from minicloud import __version__, settings
from minicloud.base.errors import CloudError
from minicloud.cli import control, credentials, memory, ports
from minicloud.cli.folder import CONTROL, Folder, Running
from minicloud.cli.show import Tell
from minicloud.cloud import Cloud, open_cloud
from minicloud.operations import desk

GRACE_S = 3
"""Seconds that requests under way get when the cloud stops."""
SWITCH_S = 0.0005
"""How long a thread waits for the interpreter's lock before it asks for it: the database's thread gives it up at each
statement, and with Python's 5 ms a storm of creates ran at 105 servers/s instead of 160."""


class Up(msgspec.Struct, frozen=True, kw_only=True):
    """What is told when the cloud answers."""

    running: Running
    asked_driver: str
    passwords: dict[str, str]
    seconds: float


Ready = Callable[[Up], None]


def run(found: settings.Found, *, tell: Tell, ready: Ready, began: float) -> None:
    """Run the cloud until SIGTERM, SIGINT or ``minicloud down``. ``began``: when the command started, by ``time.time``.

    Raises Conflict (folder or port taken), Invalid, Unavailable, and what opening the cloud raises.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    folder = Folder(found.settings.data)
    folder.prepare()
    lock = folder.lock()
    sys.setswitchinterval(SWITCH_S)
    memory.give_big_blocks_back()
    try:
        anyio.run(_Serving(found, folder, tell, ready, began).run, backend_options={"use_uvloop": _has_uvloop()})
    finally:
        folder.withdraw()
        os.close(lock)


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling, as the cloud has more to stop than HTTP; ``up`` is set once it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = anyio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Serving:
    """One run of a cloud."""

    def __init__(self, found: settings.Found, folder: Folder, tell: Tell, ready: Ready, began: float) -> None:
        self._found = found
        self._folder = folder
        self._tell = tell
        self._ready = ready
        self._began = began
        self._stop = anyio.Event()
        self._stop_servers = found.settings.stop_servers
        self._server: _Server | None = None
        self._cloud: Cloud | None = None

    async def run(self) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._hear_signals, tasks.cancel_scope)
            bound = ports.take(self._found.settings.listen, self._found.settings.port)
            with bound:
                async with open_cloud(self._found.settings, progress=self._tell) as cloud:
                    await self._serve(cloud, bound)
            tasks.cancel_scope.cancel()

    async def _serve(self, cloud: Cloud, bound: socket.socket) -> None:
        self._cloud = cloud
        server = self._server = _Server(
            uvicorn.Config(
                cloud.application,
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=GRACE_S,
                backlog=2048,
            )
        )
        running = self._facts(cloud, ports.listening(bound).getsockname()[1])
        answers = {**desk.answers(cloud), "stop": self._asked_to_stop}
        passwords = {"admin": cloud.admin_password, "demo": cloud.admin_password}
        async with control.serving(self._folder.file(CONTROL), answers), anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [bound])
            credentials.write(self._folder, credentials.clouds(running.url, cloud.settings.region, passwords))
            await server.up.wait()
            self._folder.announce(running)
            asked = self._found.settings.driver
            self._ready(Up(running=running, asked_driver=asked, passwords=passwords, seconds=time.time() - self._began))
            memory.up()
            await self._stop.wait()
            self._tell("stopping: requests under way")
            server.should_exit = True
        if self._stop_servers and not cloud.settings.stop_servers:
            self._tell("stopping: powering off the servers")
            await cloud.stop_servers()
        self._tell("stopping: closing what is open")

    def _facts(self, cloud: Cloud, port: int) -> Running:
        listen = self._found.settings.listen
        plain = {
            name: value for name, value in msgspec.structs.asdict(cloud.settings).items() if name != "admin_password"
        }
        return Running(
            pid=os.getpid(),
            url=ports.url(listen, port),
            listen=listen,
            port=port,
            started_at=time.time(),
            version=__version__,
            settings=plain | {"driver": cloud.driver},
        )

    async def _asked_to_stop(self, given: dict[str, Any]) -> dict[str, Any]:
        self._stop_servers = self._stop_servers or bool(given.get("stop_servers"))
        self._stop.set()
        return {"pid": os.getpid()}

    async def _hear_signals(self, scope: anyio.CancelScope) -> None:
        """The first signal stops cleanly, the second at once; SIGHUP reads policy.yaml again, unless a terminal hung up."""
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            async for found in signals:
                if found == signal.SIGHUP and not sys.stdin.isatty() and not self._stop.is_set():
                    self._reload_policy()
                    continue
                if self._server is None or not self._server.started or self._stop.is_set():
                    if self._server is not None:
                        self._server.force_exit = True
                    scope.cancel()
                self._stop.set()

    def _reload_policy(self) -> None:
        if self._cloud is None:
            return
        try:
            self._tell(f"policy.yaml was read again: it changes {self._cloud.reload_policy()} rules")
        except CloudError as error:
            self._tell(f"policy.yaml was not taken, the rules are as they were: {error.message}")


def _has_uvloop() -> bool:
    try:
        import uvloop  # noqa: F401
    except ImportError:
        return False
    return True
