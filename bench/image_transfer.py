"""How fast an image goes up and comes down, and what memory it takes, beside a bare Starlette stream and bare checksums.

    python -m bench image_transfer
    python bench/image_transfer.py [MiB]

Two floors: the bare server writes or reads the same file without checksums, inspection or a database; hashing is what one core
makes of md5 and sha512, which every upload needs. They take turns with minicloud, as a machine is seldom as fast twice.
"""

import hashlib
import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import msgspec
import uvicorn

from bench import figures

MiB = 1 << 20
PIECE = MiB
RUNS = 3
HEADERS = {"X-Auth-Token": "ann-red-member"}


class _Nothing:
    """A trace that costs nothing."""

    def take(self, note: Any) -> None:
        pass


async def _bare(folder: Path) -> Any:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response, StreamingResponse
    from starlette.routing import Route

    async def put(request: Request) -> Response:
        with open(folder / "bare", "wb") as file:  # noqa: ASYNC230 - a floor as plain as can be
            async for chunk in request.stream():
                file.write(chunk)
            os.fsync(file.fileno())
        return Response(status_code=204)

    async def get(request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            async with await anyio.open_file(folder / "bare", "rb") as file:
                while piece := await file.read(PIECE):
                    yield piece

        return StreamingResponse(pieces())

    return Starlette(routes=[Route("/file", put, methods=["PUT"]), Route("/file", get)])


async def _minicloud(folder: Path, stack: AsyncExitStack) -> Any:
    from minicloud.api import image
    from minicloud.api.app import Api
    from minicloud.engines.blobs.directory import DirectoryBlobs
    from minicloud.engines.database.sqlite import SqliteDatabase
    from tests.support.doors import a_door

    door = await a_door(stack, [image.service()], blobs=DirectoryBlobs(str(folder / "blobs")))
    database = await SqliteDatabase.open(str(folder / "cloud.db"))
    stack.push_async_callback(database.close)
    door.as_()
    means = msgspec.structs.replace(door.api.means, database=database)
    return Api([image.service()], means, door.api.authenticator, _Nothing())


async def _serve(kind: str, folder: Path, port: int) -> None:
    from minicloud.cli import memory
    from minicloud.cli.serve import SWITCH_S

    # As ``minicloud up`` does.
    sys.setswitchinterval(SWITCH_S)
    memory.give_big_blocks_back()
    async with AsyncExitStack() as stack:
        app = await _bare(folder) if kind == "bare" else await _minicloud(folder, stack)
        config = uvicorn.Config(app, port=port, log_level="warning", lifespan="off")
        await uvicorn.Server(config).serve()


def _ask(port: int, method: str, path: str, body: Any = None, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, blocksize=PIECE)
    connection.request(method, path, body=body, headers={**HEADERS, **headers})
    answer = connection.getresponse()
    assert answer.status < 300, answer.read()
    return answer


def _drain(answer: http.client.HTTPResponse) -> int:
    size = 0
    while piece := answer.read(PIECE):
        size += len(piece)
    return size


def _resident(pid: int) -> tuple[int, int]:
    """Memory of a process in MiB: now, and at its highest."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Vm")}
    return int(found["VmRSS"]) // 1024, int(found["VmHWM"]) // 1024


def _rate(work: Callable[[], Any], size: int) -> float:
    began = time.perf_counter()
    work()
    return size / MiB / (time.perf_counter() - began)


def _measure(kind: str, source: Path, port: int) -> tuple[float, float, int]:
    """MiB a second up and down, and MiB of memory that it took on top."""
    size = source.stat().st_size
    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        argv = [sys.executable, __file__, "serve", kind, folder, str(port)]
        server = subprocess.Popen(argv, env={**os.environ, "PYTHONPATH": "."})
        try:
            _wait(port)
            before, _ = _resident(server.pid)
            path = "/file"
            if kind == "minicloud":
                body = msgspec.json.encode({"disk_format": "raw", "container_format": "bare"})
                made = msgspec.json.decode(_ask(port, "POST", "/image/v2/images", body).read())
                path = f"/image/v2/images/{made['id']}/file"

            def upload() -> None:
                headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
                with open(source, "rb") as file:
                    _ask(port, "PUT", path, file, **headers)

            up = _rate(upload, size)
            down = _rate(lambda: _drain(_ask(port, "GET", path)), size)
            return up, down, _resident(server.pid)[1] - before
        finally:
            server.terminate()
            server.wait()


def _wait(port: int) -> None:
    for _ in range(200):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", "/nothing")
            connection.getresponse()
            return
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise SystemExit("the server did not come up")


def _hash(source: Path) -> None:
    found = hashlib.md5(usedforsecurity=False), hashlib.sha512()
    with open(source, "rb") as file:
        while piece := file.read(PIECE):
            for one in found:
                one.update(piece)


def main(size: int = 512 * MiB) -> None:
    hashed, bare, ours = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        with open(source, "wb") as file:
            for _ in range(size // PIECE):
                file.write(os.urandom(PIECE))
        for _ in range(RUNS):
            hashed.append(_rate(lambda: _hash(source), size))
            bare.append(_measure("bare", source, 5871))
            ours.append(_measure("minicloud", source, 5872))
    up, down = (figures.p50([one[n] for one in ours]) for n in (0, 1))
    bare_up, bare_down = (figures.p50([one[n] for one in bare]) for n in (0, 1))
    hashing = figures.p50(hashed)
    one_core = 1 / (1 / bare_up + 1 / hashing)
    more = f"md5 and sha512 alone {hashing:.0f} ({up / hashing:.1f} x), both on one core {one_core:.0f}"
    figures.show("image_up_mib_per_s", up, "MiB/s", floor=bare_up, more=more)
    figures.show("image_down_mib_per_s", down, "MiB/s", floor=bare_down)
    memory = max(one[2] for one in ours)
    figures.show("image_transfer_memory_mib", memory, "MiB", target="< 37", more=f"on top, of {size // MiB} MiB")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        anyio.run(_serve, sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
    else:
        main(*[int(mebibytes) * MiB for mebibytes in sys.argv[1:2]])
