"""Guests that stand still, over HTTP: pause and unpause, suspend and resume, and what is refused meanwhile."""

from contextlib import AsyncExitStack

import pytest

from tests.support.clouds import a_cloud

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("action", "back", "status", "number"), [("pause", "unpause", "PAUSED", 3), ("suspend", "resume", "SUSPENDED", 7)]
)
async def test_there_and_back(action: str, back: str, status: str, number: int) -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server_id = (await cloud.a_server())["id"]
        early = await cloud.act(server_id, {back: None})
        message = f"Cannot '{back}' instance {server_id} while it is in vm_state active"
        assert (early.status_code, early.json()["conflictingRequest"]["message"]) == (409, message)
        assert (await cloud.act(server_id, {action: None})).status_code == 202
        await cloud.settled()
        shown = await cloud.server(server_id)
        assert (shown["status"], shown["OS-EXT-STS:power_state"], shown["OS-EXT-STS:task_state"]) == (
            status,
            number,
            None,
        )
        assert (await cloud.act(server_id, {"os-stop": None})).status_code == 409
        assert await cloud.reconciled() is not None
        assert (await cloud.server(server_id))["status"] == status
        assert (await cloud.act(server_id, {back: None})).status_code == 202
        await cloud.settled()
        shown = await cloud.server(server_id)
        assert (shown["status"], shown["OS-EXT-STS:power_state"]) == ("ACTIVE", 1)
        assert await cloud.stuck() == []


async def test_a_suspended_server_is_rebooted_hard_and_deleted() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server_id = (await cloud.a_server())["id"]
        await cloud.act(server_id, {"suspend": None})
        await cloud.settled()
        assert (await cloud.act(server_id, {"reboot": {"type": "HARD"}})).status_code == 202
        await cloud.settled()
        assert (await cloud.server(server_id))["status"] == "ACTIVE"
        await cloud.act(server_id, {"suspend": None})
        await cloud.settled()
        assert (await cloud.demo.delete(f"/compute/v2.1/servers/{server_id}")).status_code == 204
        await cloud.settled()
        assert await cloud.hypervisor().machines() == []
