"""What the probe says of this machine, as root and as somebody who may less."""

import json
import os
import sys
from typing import Any

import anyio
import pytest

from minicloud.drivers.fabric.linux.probe import probe
from tests.support.everyone import python_path

pytestmark = [pytest.mark.anyio, pytest.mark.linux]

ASK = """
import asyncio, sys, msgspec
from tests.support.fabric_process import become_nobody
from minicloud.drivers.fabric.linux.probe import probe
if sys.argv[1] == "nobody":
    become_nobody()
else:
    import os
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
print(msgspec.json.encode(asyncio.run(probe())).decode())
"""


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio"


async def test_this_machine_carries_networks() -> None:
    found = await probe()
    assert found.missing == []
    assert found.best == ("linux" if os.geteuid() == 0 else "rootless")


async def _as(who: str) -> Any:
    python = f"/usr/bin/python3.{sys.version_info.minor}"
    if os.geteuid() != 0 or not os.access(python, os.X_OK):
        pytest.skip("becoming another user needs root and an interpreter that everybody may run")
    environment = {"PYTHONPATH": ":".join(python_path()), "PYTHONDONTWRITEBYTECODE": "1"}
    done = await anyio.run_process([python, "-c", ASK, who], env=environment, cwd="/", stderr=None)
    return json.loads(done.stdout)


async def test_nobody_gets_a_user_namespace() -> None:
    found = await _as("nobody")
    assert (found["best"], found["root"], found["missing"]) == ("rootless", False, [])


async def test_who_may_not_open_taps_is_told_the_remedy() -> None:
    if os.stat("/dev/net/tun").st_mode & 0o006:
        pytest.skip("everybody may open /dev/net/tun here")
    found = await _as("stranger")
    assert (found["best"], found["root"]) == ("user", False)
    assert found["missing"] == ["/dev/net/tun may not be opened: chmod 0666 /dev/net/tun, as root"]
