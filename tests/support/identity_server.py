"""Identity alone on a real port: uvicorn and the sqlite database in a thread of this process, for clients nobody here wrote."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import uvicorn

from minicloud.api.identity.passwords import Passwords
from minicloud.base.clock import SystemClock
from minicloud.base.trace import Recording
from minicloud.engines.database.sqlite import SqliteDatabase
from tests.support.identity import identity_api
from tests.support.worlds import a_world


class _Telling(uvicorn.Server):
    """Tells when it is up."""

    def __init__(self, config: uvicorn.Config, ready: threading.Event) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready.set()


class _Server:
    def __init__(self, path: Path, passwords: Passwords) -> None:
        self._path = path
        self._passwords = passwords
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.notes = Recording()
        self.ready = threading.Event()
        self.failure: BaseException | None = None
        self.server: uvicorn.Server | None = None

    def run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self.failure = error
            raise
        finally:
            self.ready.set()
            self._socket.close()

    async def _serve(self) -> None:
        async with AsyncExitStack() as stack:
            database = await SqliteDatabase.open(str(self._path))
            stack.push_async_callback(database.close)
            api, _ = await identity_api(await a_world(stack), database, SystemClock(), self._passwords, self.notes)
            config = uvicorn.Config(api, log_level="warning", access_log=False, http="httptools")
            self.server = _Telling(config, self.ready)
            await self.server.serve(sockets=[self._socket])


@contextmanager
def an_identity_server(folder: Path, passwords: Passwords | None = None) -> Iterator[str]:
    """The address of a running server, which stops at the end."""
    server = _Server(folder / "cloud.db", passwords or Passwords("normal"))
    thread = threading.Thread(target=server.run, name="identity")
    thread.start()
    try:
        assert server.ready.wait(30), "the server did not start in 30 seconds"
        assert server.failure is None, server.failure
        yield server.url
    finally:
        if server.server is not None:
            server.server.should_exit = True
        thread.join(30)
    assert not thread.is_alive()
