"""What administrators do to servers by force, over HTTP."""

from contextlib import AsyncExitStack

import pytest

from tests.support.clouds import a_cloud

pytestmark = pytest.mark.anyio


async def test_an_administrator_says_in_which_state_a_server_is() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server_id = (await cloud.a_server())["id"]
        assert (await cloud.act(server_id, {"os-resetState": {"state": "error"}})).status_code == 403
        assert (await cloud.act(server_id, {"os-resetState": {"state": "error"}}, cloud.admin)).status_code == 202
        assert (await cloud.server(server_id))["status"] == "ERROR"
        assert (await cloud.act(server_id, {"os-resetState": {"state": "active"}}, cloud.admin)).status_code == 202
        assert (await cloud.server(server_id))["status"] == "ACTIVE"
        for wrong in ({"state": "paused"}, {}, {"state": "error", "why": 1}, None):
            assert (await cloud.act(server_id, {"os-resetState": wrong}, cloud.admin)).status_code == 400, wrong
        actions = (await cloud.demo.get(f"/compute/v2.1/servers/{server_id}/os-instance-actions")).json()
        assert [action["action"] for action in actions["instanceActions"]] == ["resetState", "resetState", "create"]


async def test_networks_are_neither_reset_nor_injected() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server_id = (await cloud.a_server())["id"]
        assert (await cloud.act(server_id, {"resetNetwork": None}, cloud.admin)).status_code == 410
        assert (await cloud.act(server_id, {"injectNetworkInfo": None}, cloud.admin)).status_code == 202
        assert (await cloud.act(server_id, {"injectNetworkInfo": None})).status_code == 403
        missing = "5eed0000-0000-4000-8000-000000000001"
        assert (await cloud.act(missing, {"injectNetworkInfo": None}, cloud.admin)).status_code == 404
