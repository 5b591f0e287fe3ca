"""An answer may be held back for the work that it promises: a first look finds it done, and slow work holds nobody up."""

from contextlib import AsyncExitStack

import anyio
import pytest

from minicloud.drivers.faults import Fault
from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio


async def status(cloud: TestedCloud, server_id: str) -> str:
    """What a client reads."""
    return str((await cloud.server(server_id))["status"])


async def test_a_first_look_finds_the_server_active() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, patience=5.0)
        server = (await cloud.ask_server()).json()["server"]
        assert await status(cloud, server["id"]) == "ACTIVE"
        answer = await cloud.demo.post(f"/compute/v2.1/servers/{server['id']}/action", json={"os-stop": None})
        assert answer.status_code == 202
        assert await status(cloud, server["id"]) == "SHUTOFF"
        assert (await cloud.demo.delete(f"/compute/v2.1/servers/{server['id']}")).status_code == 204
        assert (await cloud.demo.get(f"/compute/v2.1/servers/{server['id']}")).status_code == 404


async def test_work_that_takes_longer_goes_on_behind_the_answer() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, patience=5.0)
        assert cloud.cloud.fake is not None
        cloud.cloud.fake.faults.add(Fault(verb="ensure_running", delay_s=60))
        began = anyio.current_time()
        server = (await cloud.ask_server()).json()["server"]
        assert 5 <= anyio.current_time() - began < 6
        assert await status(cloud, server["id"]) == "BUILD"
        await cloud.settled()
        assert await status(cloud, server["id"]) == "ACTIVE"


async def test_without_patience_the_answer_comes_before_the_work() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, patience=0)
        server = (await cloud.ask_server()).json()["server"]
        assert await status(cloud, server["id"]) == "BUILD"
        await cloud.settled()
