"""Diagnostics and the guest's password over HTTP."""

from contextlib import AsyncExitStack

import pytest

from tests.support.clouds import a_cloud
from tests.support.compute import at

pytestmark = pytest.mark.anyio


async def test_diagnostics_of_a_running_server() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        path = f"/compute/v2.1/servers/{server['id']}/diagnostics"
        assert (await cloud.demo.get(path)).status_code == 403
        found = (await cloud.admin.get(path)).json()
        assert (found["state"], found["num_cpus"], found["num_nics"], found["num_disks"]) == ("running", 1, 1, 1)
        assert found["memory_details"] == {"maximum": 512, "used": None}
        [[place]] = server["addresses"].values()
        assert found["nic_details"][0]["mac_address"] == place["OS-EXT-IPS-MAC:mac_addr"]
        assert (await at(cloud.admin, "2.47").get(path)).json()["memory"] == 512 * 1024
        await cloud.act(server["id"], {"os-stop": None})
        await cloud.settled()
        off = await cloud.admin.get(path)
        message = f"Cannot 'get_diagnostics' instance {server['id']} while it is in power state shutdown"
        assert (off.status_code, off.json()["conflictingRequest"]["message"]) == (409, message)


async def test_a_guest_that_told_no_password_has_none() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        path = f"/compute/v2.1/servers/{server['id']}/os-server-password"
        assert (await cloud.demo.get(path)).json() == {"password": ""}
        assert (await cloud.demo.delete(path)).status_code == 204
