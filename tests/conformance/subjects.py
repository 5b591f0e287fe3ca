"""The cloud that a suite is run against: the real command, simulated servers, everything in memory, on a free port."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec

PASSWORD = "secret"
PATIENCE_S = 60.0


class Subject:
    """A running cloud, with an administrator's client."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=30)
        self.token: dict[str, Any] = {}
        self.sign_in()

    def sign_in(self) -> None:
        """Get an administrator's token, and with it the catalog."""
        auth = {
            "identity": {
                "methods": ["password"],
                "password": {"user": {"name": "admin", "domain": {"id": "default"}, "password": PASSWORD}},
            },
            "scope": {"project": {"name": "admin", "domain": {"id": "default"}}},
        }
        answer = self.http.post("/identity/v3/auth/tokens", json={"auth": auth}).raise_for_status()
        self.http.headers["X-Auth-Token"] = answer.headers["x-subject-token"]
        self.token = answer.json()["token"]

    def endpoint(self, service_type: str) -> str | None:
        """Where a service answers; None where the catalog does not name it."""
        for service in self.token["catalog"]:
            if service["type"] == service_type:
                return next((str(one["url"]) for one in service["endpoints"] if one["interface"] == "public"), None)
        return None

    def list(self, service_type: str, path: str, name: str, /, **parameters: str) -> list[dict[str, Any]]:
        """A collection of a service; empty where the service is not there."""
        base = self.endpoint(service_type)
        if base is None:
            return []
        answer = self.http.get(f"{base}{path}", params=parameters)
        found: list[dict[str, Any]] = answer.json()[name] if answer.is_success else []
        return found

    def post(self, path: str, document: Any) -> Any:
        """Make something in identity."""
        return self.http.post(f"/identity/v3{path}", json=document).raise_for_status().json()


@contextlib.contextmanager
def a_subject(folder: Path, **settings: int | str) -> Iterator[Subject]:
    """A cloud for as long as the context is open."""
    data = folder / "data"
    words = ["up", "--port", "0", "--data", str(data), "--password-cost", "cheap"]
    words += [] if "driver" in settings else ["--driver", "fake", "--memory"]
    words += ["--admin-password", PASSWORD]
    words += [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    log = folder / "cloud.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "minicloud"), *words], stdout=out, stderr=out, stdin=subprocess.DEVNULL
        )
    try:
        yield Subject(_address(process, data / "minicloud.json", log))
    finally:
        if "driver" in settings:
            # Real guests and networks would outlive their cloud.
            down = [str(Path(sys.executable).parent / "minicloud"), "down", "--stop-servers", "--data", str(data)]
            subprocess.run(down, capture_output=True, check=False)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()


def _address(process: "subprocess.Popen[bytes]", facts: Path, log: Path) -> str:
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        if process.poll() is not None:
            break
        if facts.exists():
            url: str = msgspec.json.decode(facts.read_bytes())["url"]
            return url
        time.sleep(0.05)
    raise RuntimeError(f"the cloud did not start:\n{log.read_text()}")
