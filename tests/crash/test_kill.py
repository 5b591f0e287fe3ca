"""SIGKILL of the real process at random moments of a storm: what was acknowledged stays, what was half-made goes."""

import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from tests.support.clean_slate import disorder
from tests.support.killable import Killable
from tests.support.storms import Ledger, Storm

pytestmark = [pytest.mark.anyio, pytest.mark.crash]
SEED = 20261121
KILLS = 36
SETTLE_LIMIT_S = 30.0


@pytest.fixture
def anyio_backend() -> str:
    """Real processes live in real time."""
    return "asyncio"


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Killable]:
    killable = Killable(
        tmp_path / "data",
        "--driver",
        "fake",
        "--hosts",
        "3",
        reconcile_interval="0.5",
        password_cost="cheap",
        shutdown_timeout="1",
    )
    try:
        yield killable
    finally:
        killable.end()


async def prepare(cloud: Killable) -> tuple[dict[str, str], str]:
    """No limits for the project demo; a token of its member, and the image that every cloud has."""
    admin, demo = await cloud.sign_in("admin", "admin"), await cloud.sign_in("demo", "demo")
    async with httpx.AsyncClient(base_url=cloud.url, timeout=30) as http:
        projects = await http.get("/identity/v3/projects", params={"name": "demo"}, headers=admin)
        limits = {"instances": -1, "cores": -1, "ram": -1}
        path = f"/compute/v2.1/os-quota-sets/{projects.json()['projects'][0]['id']}"
        answer = await http.put(path, json={"quota_set": limits}, headers=admin)
        assert answer.status_code == 200, answer.text
        while True:
            images = (await http.get("/image/v2/images", headers=demo)).json()["images"]
            if images and images[0]["status"] == "active":
                return demo, images[0]["id"]
            await anyio.sleep(0.05)


async def look(cloud: Killable, ledger: Ledger, headers: dict[str, str]) -> list[dict[str, Any]]:
    """All servers, by a token from before the kill; nothing that was acknowledged is missing."""
    async with httpx.AsyncClient(base_url=cloud.url, headers=headers, timeout=30) as http:
        answer = await http.get("/compute/v2.1/servers/detail", params={"limit": "1000"})
    assert answer.status_code == 200, f"the token is not valid any more: {answer.text}"
    found: list[dict[str, Any]] = answer.json()["servers"]
    ledger.found(found)
    by_id = {server["id"]: server for server in found}
    for entry in ledger.entries.values():
        server = by_id.get(entry.id)
        if server is None:
            assert "gone" in entry.may_end, f"{entry.name} was promised and is not there"
        else:
            assert server["status"] != "ERROR", f"{entry.name}: {server.get('fault')}"
            deleting = server["OS-EXT-STS:task_state"] == "deleting"
            assert deleting or entry.may_end != {"gone"}, f"{entry.name} was deleted and is {server['status']}"
    return found


async def settle(cloud: Killable, ledger: Ledger, headers: dict[str, str]) -> None:
    """Wait until the cloud is at rest; then everything has ended as it was asked to, and nothing is half-made."""
    give_up = time.monotonic() + SETTLE_LIMIT_S
    while wrong := disorder(cloud.folder):
        assert time.monotonic() < give_up, "\n".join(wrong)
        await anyio.sleep(0.1)
    states = {server["id"]: server["status"] for server in await look(cloud, ledger, headers)}
    for entry in list(ledger.entries.values()):
        end = states.get(entry.id, "gone")
        assert end in entry.may_end, f"{entry.name} ended {end}, not {sorted(entry.may_end)}"
        if end == "gone":
            del ledger.entries[entry.id]
        else:
            entry.may_end = frozenset({end})


async def test_nothing_acknowledged_is_lost_and_nothing_half_made_stays(cloud: Killable) -> None:
    print(f"seed {SEED}")
    dice, ledger = random.Random(SEED), Ledger()
    await cloud.start()
    headers, image = await prepare(cloud)
    storm = Storm(ledger, headers, image, dice)
    kills = 0
    while kills < KILLS:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: storm.rage(cloud.url, clients=8, most=30))
            await anyio.sleep(dice.uniform(0.01, 0.6))
            cloud.kill()
        kills += 1
        if dice.random() < 0.3:
            # The next start does not even come up before it is killed: in the middle of its recovery, more often than not.
            cloud.begin()
            await anyio.sleep(dice.uniform(0.1, 0.6))
            cloud.kill()
            kills += 1
        await cloud.start()
        if kills % 6 == 0:
            await settle(cloud, ledger, headers)
        else:
            await look(cloud, ledger, headers)
    await settle(cloud, ledger, headers)
    print(f"{kills} kills, {ledger.acknowledged} acknowledgements, {len(ledger.entries)} servers at the end")
    assert ledger.acknowledged > 5 * KILLS
