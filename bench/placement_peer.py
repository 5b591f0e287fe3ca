"""Placement beside its peer: the query of upstream's perfload on a thousand providers, the same requests to minicloud and to
the package openstack-placement, that is served on this machine from a virtual environment of its own with SQLite.

    python -m bench.placement_peer [--requests 500] [--environment FOLDER]
"""

import argparse
import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx

from bench import figures
from bench.clouds import a_cloud

PROVIDERS, CONCURRENCY = 1000, 10
AGGREGATE = "14a5c8a3-5a99-4e8f-88be-00d85fcb1c17"
TRAIT = "COMPUTE_VOLUME_MULTI_ATTACH"
QUERY = f"/allocation_candidates?resources=DISK_GB:10&required={TRAIT}&member_of={AGGREGATE}"
VERSION = {"OpenStack-API-Version": "placement 1.39"}
INVENTORY = {"VCPU": 32, "MEMORY_MB": 65_536, "DISK_GB": 2048}
PACKAGES = ("openstack-placement", "waitress", "PyMySQL")
"""PyMySQL is imported by the package whatever its database is."""

SERVE = """
import sys
from waitress import serve
from placement.wsgi import init_application
serve(init_application(), host="127.0.0.1", port=int(sys.argv[1]), threads=10)
"""


async def load(client: httpx.AsyncClient, prefix: str) -> None:
    """A thousand providers with inventories, a trait and an aggregate; one by one, as the peer's SQLite locks otherwise."""
    path = f"{prefix}/resource_providers"
    inventories = {name: {"total": total} for name, total in INVENTORY.items()}
    for number in range(PROVIDERS):
        provider = str(uuid.UUID(int=number + 1))
        made = await client.post(path, json={"name": f"peer-{number}", "uuid": provider}, headers=VERSION)
        assert made.status_code == 200, made.text
        for part, body, generation in (
            ("inventories", {"inventories": inventories}, 0),
            ("traits", {"traits": [TRAIT]}, 1),
            ("aggregates", {"aggregates": [AGGREGATE]}, 2),
        ):
            document = {**body, "resource_provider_generation": generation}
            answer = await client.put(f"{path}/{provider}/{part}", json=document, headers=VERSION)
            assert answer.status_code == 200, answer.text


async def throughput(client: httpx.AsyncClient, prefix: str, count: int) -> tuple[float, int]:
    """Answers per second with ten requests under way, and how many candidates each holds.

    The load comes from streams that only count bytes, as light as upstream's ``ab``, so that it is the servers that are measured.
    """
    warm = await client.get(f"{prefix}{QUERY}", headers=VERSION)
    assert warm.status_code == 200, warm.text
    told = {**VERSION, "X-Auth-Token": client.headers["X-Auth-Token"], "Host": client.base_url.netloc.decode()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    request = f"GET {prefix}{QUERY} HTTP/1.1\r\n{lines}\r\n".encode()
    left = iter(range(count))

    async def ask() -> None:
        host, port = client.base_url.host, client.base_url.port
        reader, writer = await asyncio.open_connection(host, port, limit=1 << 20)
        for _ in left:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert head.startswith(b"http/1.1 200"), head
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            assert length == len(warm.content), length
            await reader.readexactly(length)
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(CONCURRENCY)))
    return count / (time.perf_counter() - began), len(warm.json()["allocation_requests"])


@asynccontextmanager
async def the_peer(environment: Path) -> AsyncIterator[httpx.AsyncClient]:
    """openstack-placement on a free port with an empty SQLite file; gone afterwards. Its packages stay for the next time."""
    python = environment / "bin" / "python"
    if not (environment / "bin" / "placement-manage").exists():
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    with tempfile.TemporaryDirectory(prefix="mc-peer-") as folder, contextlib.ExitStack() as stack:
        settings = Path(folder) / "placement.conf"
        settings.write_text(
            "[DEFAULT]\ndebug = false\n[api]\nauth_strategy = noauth2\n[placement_database]\n"
            f"connection = sqlite:///{folder}/placement.sqlite\nsync_on_startup = true\n"
        )
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        log = stack.enter_context((Path(folder) / "out.txt").open("wb"))
        process = subprocess.Popen(
            [str(python), "-c", SERVE, str(port)],
            env={**os.environ, "OS_PLACEMENT_CONFIG_DIR": folder},
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
        try:
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", headers={"X-Auth-Token": "admin"}, timeout=120
            ) as client:
                await _answering(client, process, Path(folder) / "out.txt")
                yield client
        finally:
            process.terminate()
            process.wait(10)


async def _answering(client: httpx.AsyncClient, process: subprocess.Popen[bytes], out: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the peer did not start:\n{out.read_text()}")
        with contextlib.suppress(httpx.TransportError):
            if (await client.get("/")).status_code == 200:
                return
        await anyio.sleep(0.1)
    raise TimeoutError(f"the peer did not start within a minute:\n{out.read_text()}")


ENVIRONMENT = Path(tempfile.gettempdir()) / "minicloud-peer"


async def main(requests: int = 500, environment: Path = ENVIRONMENT) -> None:
    """Both, one after the other, and the ratio."""
    async with the_peer(environment) as peer:
        print("filling the peer takes a minute or two", flush=True)
        await load(peer, "")
        theirs, candidates = await throughput(peer, "", requests)
    async with a_cloud() as cloud:
        await load(cloud, "/placement")
        ours, found = await throughput(cloud, "/placement", requests)
    assert candidates == found == PROVIDERS, f"the answers differ: {candidates} and {found} candidates"
    figures.show("perfload_peer_per_s", theirs, "answers/s", more=f"{candidates} candidates in each")
    figures.show("perfload_per_s", ours, "answers/s", floor=theirs)
    figures.show("perfload_ratio", ours / theirs, "x", target="> 20")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--environment", type=Path, default=ENVIRONMENT)
    given = parser.parse_args()
    anyio.run(main, given.requests, given.environment)
