"""Locking servers: whose lock it is, what it refuses, and why it is there."""

from contextlib import AsyncExitStack

import pytest

from tests.support.clouds import a_cloud
from tests.support.compute import at

pytestmark = pytest.mark.anyio


async def test_an_owner_locks_and_unlocks() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server_id = (await cloud.a_server())["id"]
        assert (await cloud.act(server_id, {"lock": {"locked_reason": "mine"}})).status_code == 202
        shown = await cloud.server(server_id)
        assert (shown["locked"], shown["locked_reason"]) == (True, "mine")
        refused = await cloud.act(server_id, {"os-stop": None})
        assert (refused.status_code, refused.json()["conflictingRequest"]["message"]) == (
            409,
            f"Instance {server_id} is locked",
        )
        assert (await cloud.act(server_id, {"unlock": None})).status_code == 202
        shown = await cloud.server(server_id)
        assert (shown["locked"], shown["locked_reason"]) == (False, None)
        actions = (await cloud.demo.get(f"/compute/v2.1/servers/{server_id}/os-instance-actions")).json()
        assert [action["action"] for action in actions["instanceActions"]] == ["unlock", "lock", "create"]


async def test_what_an_administrator_locked_only_one_unlocks() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server_id = (await cloud.a_server())["id"]
        await cloud.act(server_id, {"lock": None}, cloud.admin)
        assert (await cloud.act(server_id, {"unlock": None})).status_code == 403
        assert (await cloud.act(server_id, {"unlock": None}, cloud.admin)).status_code == 202
        assert (await cloud.act(server_id, {"os-stop": None})).status_code == 202


async def test_reasons_exist_since_2_73() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server_id = (await cloud.a_server())["id"]
        for wrong in ({"reason": "x"}, {"locked_reason": ""}, {"locked_reason": "x" * 256}, "x"):
            assert (await cloud.act(server_id, {"lock": wrong})).status_code == 400, wrong
        assert (await cloud.act(server_id, {"lock": {"odd": 1}}, at(cloud.demo, "2.72"))).status_code == 202
        assert "locked_reason" not in await cloud.server(server_id)
