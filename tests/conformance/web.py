"""The web that suites import an image from: one small disk, on loopback."""

import contextlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.images import a_qcow2

DISK = "disk.qcow2"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


@contextlib.contextmanager
def a_web(folder: Path) -> Iterator[str]:
    """The address of the disk, for as long as the context is open."""
    folder.mkdir(exist_ok=True)
    (folder / DISK).write_bytes(a_qcow2())
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/{DISK}"
    finally:
        server.shutdown()
        server.server_close()
