"""The addresses of a server over HTTP."""

from contextlib import AsyncExitStack

import pytest

from tests.support.clouds import a_cloud

pytestmark = pytest.mark.anyio


async def test_addresses_by_network() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        path = f"/compute/v2.1/servers/{server['id']}/ips"
        found = (await cloud.demo.get(path)).json()["addresses"]
        plain = {
            name: [{"version": place["version"], "addr": place["addr"]} for place in places]
            for name, places in server["addresses"].items()
        }
        assert found == plain
        [network] = found
        assert (await cloud.demo.get(f"{path}/{network}")).json() == {network: found[network]}
        absent = await cloud.demo.get(f"{path}/none")
        message = "Instance is not a member of specified network"
        assert (absent.status_code, absent.json()["itemNotFound"]["message"]) == (404, message)
