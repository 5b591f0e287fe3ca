"""Floors: what nobody could be faster than here. A bare Starlette application in a process of its own; bare sqlite commits."""

import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

APPLICATION = """
import sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
body = b"x" * int(sys.argv[2])
async def answer(request):
    await request.body()
    return Response(body, media_type="application/json")
app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST", "PUT", "DELETE"])])
uvicorn.run(app, port=int(sys.argv[1]), log_level="error", loop="uvloop", http="httptools", access_log=False)
"""


@asynccontextmanager
async def bare_application(answer_bytes: int) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that answers everything at once with so many bytes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", APPLICATION, str(port), str(answer_bytes)])
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", timeout=30, limits=httpx.Limits(max_connections=16)
        ) as client:
            for _ in range(500):
                try:
                    await client.get("/")
                    break
                except httpx.TransportError:
                    time.sleep(0.01)
            yield client
    finally:
        process.terminate()
        process.wait(10)


def commits_per_s(rows_each: int = 10, count: int = 2000) -> float:
    """Commits of bare sqlite in WAL mode, each of so many small inserts, one after the other."""
    with tempfile.TemporaryDirectory(prefix="mc-floor-") as folder:
        connection = sqlite3.connect(Path(folder) / "floor.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")
        began = time.perf_counter()
        for _ in range(count):
            connection.execute("BEGIN IMMEDIATE")
            for _ in range(rows_each):
                connection.execute("INSERT INTO t (b) VALUES (?)", [os.path.basename(folder)])
            connection.execute("COMMIT")
        seconds = time.perf_counter() - began
        connection.close()
        return count / seconds
