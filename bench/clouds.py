"""A cloud in a process of its own, as users have it, and a client that is signed in to it."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

CONNECTIONS = 16


class Client(httpx.AsyncClient):
    """An HTTP client with a token of the admin in the project demo, and what the benchmarks do most."""

    image = ""
    network = ""
    pid = 0
    data = Path()
    seconds_to_start = 0.0

    async def sign_in(self, password: str, project: str = "admin") -> float:
        """Sign in; the seconds that it took."""
        began = time.perf_counter()
        answer = await self.post("/v3/auth/tokens", json=credentials(password, project))
        seconds = time.perf_counter() - began
        assert answer.status_code == 201, answer.text
        self.headers["X-Auth-Token"] = answer.headers["X-Subject-Token"]
        self.headers["OpenStack-API-Version"] = "compute 2.90, placement 1.39, volume 3.0"
        return seconds

    async def unlimited(self) -> None:
        """No quota binds in a benchmark."""
        project = (await self.get("/v3/auth/tokens", headers={"X-Subject-Token": self.headers["X-Auth-Token"]})).json()
        project_id = project["token"]["project"]["id"]
        body = {"quota_set": {"instances": -1, "cores": -1, "ram": -1}}
        answer = await self.put(f"/compute/v2.1/os-quota-sets/{project_id}", json=body)
        assert answer.status_code == 200, answer.text
        body = {"quota_set": {"volumes": -1, "gigabytes": -1}}
        answer = await self.put(f"/volume/v3/os-quota-sets/{project_id}", json=body)
        assert answer.status_code == 200, answer.text
        answer = await self.put(f"/network/v2.0/quotas/{project_id}", json={"quota": {"port": -1}})
        assert answer.status_code == 200, answer.text

    async def look_around(self) -> None:
        """Find the image and the network that every cloud has; wait until the image is there."""
        while True:
            images = (await self.get("/image/v2/images", params={"name": "minilinux"})).json()["images"]
            if images and images[0]["status"] == "active":
                break
            time.sleep(0.02)
        self.image = images[0]["id"]
        networks = (await self.get("/network/v2.0/networks", params={"name": "private"})).json()["networks"]
        self.network = networks[0]["id"]

    def server(self, name: str, flavor: str = "1") -> dict[str, Any]:
        """The body that asks for a server with one port."""
        wanted = {"name": name, "flavorRef": flavor, "imageRef": self.image, "networks": [{"uuid": self.network}]}
        return {"server": wanted}


def credentials(password: str, project: str = "admin") -> dict[str, Any]:
    """The body of a password sign-in."""
    user = {"name": "admin", "domain": {"id": "default"}, "password": password}
    scope = {"project": {"name": project, "domain": {"id": "default"}}}
    return {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}


@asynccontextmanager
async def a_cloud(*flags: str, hosts: int = 1, driver: str = "fake") -> AsyncIterator[Client]:
    """A fresh cloud on a free port, signed in; gone with its data afterwards."""
    with tempfile.TemporaryDirectory(prefix="mc-bench-") as folder:
        data, log = Path(folder) / "data", Path(folder) / "out.txt"
        environment = {**os.environ, "MINICLOUD_DATA": str(data), "MINICLOUD_ADMIN_PASSWORD": "benchmark"}
        # Installed packages are compiled once: a figure is not to depend on whether this shell forbids Python to keep that.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        command = [
            sys.executable,
            "-m",
            "minicloud",
            "up",
            "--driver",
            driver,
            "--port",
            "0",
            "--hosts",
            str(hosts),
        ]
        began = time.perf_counter()
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*command, *flags], env=environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL
            )
        try:
            running = wait_for(data / "minicloud.json", process, log)
            limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
            async with Client(base_url=running["url"], timeout=120, limits=limits) as client:
                await client.sign_in("benchmark")
                client.seconds_to_start = time.perf_counter() - began
                client.pid = process.pid
                client.data = data
                yield client
        finally:
            process.terminate()
            process.wait(30)
            subprocess.run(
                [sys.executable, "-m", "minicloud", "down", "--purge", "--yes"],
                env=environment,
                check=False,
                capture_output=True,
            )


def wait_for(path: Path, process: subprocess.Popen[bytes], out: Path) -> dict[str, Any]:
    """What a running cloud says of itself, once it does."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the cloud did not start:\n{out.read_text()}")
        try:
            return dict(json.loads(path.read_text()))
        except (FileNotFoundError, json.JSONDecodeError):
            time.sleep(0.005)
    raise TimeoutError("the cloud did not start within two minutes")


def pss_mib(pid: int) -> float:
    """Memory of a process, what it shares divided by how many share it."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
