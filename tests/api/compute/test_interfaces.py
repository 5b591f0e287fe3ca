"""The network cards of a server over HTTP."""

from contextlib import AsyncExitStack

import pytest

from tests.support.clouds import a_cloud
from tests.support.compute import at

pytestmark = pytest.mark.anyio


async def test_cards_are_listed_and_shown() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        path = f"/compute/v2.1/servers/{server['id']}/os-interface"
        [card] = (await cloud.demo.get(path)).json()["interfaceAttachments"]
        [[place]] = server["addresses"].values()
        assert sorted(card) == ["fixed_ips", "mac_addr", "net_id", "port_id", "port_state", "tag"]
        assert (card["mac_addr"], card["port_state"]) == (place["OS-EXT-IPS-MAC:mac_addr"], "ACTIVE")
        assert [fixed["ip_address"] for fixed in card["fixed_ips"]] == [place["addr"]]
        assert (await cloud.demo.get(f"{path}/{card['port_id']}")).json() == {"interfaceAttachment": card}
        other = await cloud.a_server(name="other")
        foreign = await cloud.demo.get(f"/compute/v2.1/servers/{other['id']}/os-interface/{card['port_id']}")
        message = f"Instance {other['id']} does not have a port with id {card['port_id']}"
        assert (foreign.status_code, foreign.json()["itemNotFound"]["message"]) == (404, message)
        assert (await cloud.demo.get(f"{path}/nothing")).status_code == 404
        assert "tag" not in (await at(cloud.demo, "2.69").get(path)).json()["interfaceAttachments"][0]
