"""The network cards of a server over HTTP."""

from contextlib import AsyncExitStack

import anyio
import httpx
import pytest

from minicloud.base.errors import ErrorFacts
from minicloud.drivers.faults import Fault
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


async def test_only_administrators_put_a_card_into_a_network_to_the_outside() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        [public] = (await cloud.demo.get("/network/v2.0/networks?router:external=true")).json()["networks"]
        server = await cloud.a_server()
        path, wanted = f"/compute/v2.1/servers/{server['id']}/os-interface", {"net_id": public["id"]}
        words = f"It is not allowed to create an interface on external network {public['id']}"
        for refused in (
            await cloud.demo.post(path, json={"interfaceAttachment": wanted}),
            await cloud.ask_server(networks=[{"uuid": public["id"]}]),
        ):
            assert (refused.status_code, refused.json()["forbidden"]["message"]) == (403, words)
        assert len((await cloud.demo.get(path)).json()["interfaceAttachments"]) == 1
        assert (await cloud.admin.post(path, json={"interfaceAttachment": wanted})).status_code == 200


async def test_a_card_is_attached_on_a_network_and_detached() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        path = f"/compute/v2.1/servers/{server['id']}/os-interface"
        [first] = (await cloud.demo.get(path)).json()["interfaceAttachments"]
        for body in (
            None,
            {},
            {"interfaceAttachment": {}},
            {"interfaceAttachment": {"net_id": first["net_id"], "tag": "blue"}},
        ):
            asked = await cloud.demo.post(path, **({} if body is None else {"json": body}))
            assert asked.status_code == 200, asked.text
        card = asked.json()["interfaceAttachment"]
        assert (card["net_id"], card["port_state"], card["tag"]) == (first["net_id"], "ACTIVE", "blue")
        assert len((await cloud.demo.get(path)).json()["interfaceAttachments"]) == 5
        [host] = [agent for agent in cloud.cloud.agents.values() if await agent.hypervisor.machines()]
        assert len((await host.report()).fabric.ports) == 5
        gone = await cloud.demo.delete(f"{path}/{card['port_id']}")
        assert (gone.status_code, gone.content) == (202, b"")
        await cloud.settled()
        assert (await cloud.demo.get(f"{path}/{card['port_id']}")).status_code == 404
        assert (await cloud.demo.get(f"/network/v2.0/ports/{card['port_id']}")).status_code == 404
        actions = (await cloud.demo.get(f"/compute/v2.1/servers/{server['id']}/os-instance-actions")).json()
        assert [found["action"] for found in actions["instanceActions"][:2]] == ["detach_interface", "attach_interface"]
        assert (await cloud.demo.delete(f"{path}/{card['port_id']}")).status_code == 202
        await cloud.settled()
        actions = (await cloud.demo.get(f"/compute/v2.1/servers/{server['id']}/os-instance-actions")).json()
        assert actions["instanceActions"][0]["message"]
        assert await cloud.stuck() == []


async def test_a_port_of_ones_own_is_lent_and_given_back() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        path = f"/compute/v2.1/servers/{server['id']}/os-interface"
        [first] = (await cloud.demo.get(path)).json()["interfaceAttachments"]
        port = (await cloud.demo.post("/network/v2.0/ports", json={"port": {"network_id": first["net_id"]}})).json()[
            "port"
        ]
        body = {"interfaceAttachment": {"port_id": port["id"]}}
        made = (await cloud.demo.post(path, json=body)).json()["interfaceAttachment"]
        assert (made["port_id"], made["mac_addr"], made["tag"]) == (port["id"], port["mac_address"], None)
        again = await cloud.demo.post(path, json=body)
        assert (again.status_code, again.json()["conflictingRequest"]["message"]) == (
            409,
            f"Port {port['id']} is still in use.",
        )
        await cloud.demo.delete(f"{path}/{port['id']}")
        await cloud.settled()
        freed = (await cloud.demo.get(f"/network/v2.0/ports/{port['id']}")).json()["port"]
        assert (freed["device_id"], freed["status"]) == ("", "DOWN")


async def test_what_cannot_be_attached_is_said_in_novas_words() -> None:
    nothing = "11111111-1111-4111-8111-111111111111"
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        path = f"/compute/v2.1/servers/{server['id']}/os-interface"
        [first] = (await cloud.demo.get(path)).json()["interfaceAttachments"]
        [fixed] = first["fixed_ips"]
        for attachment, status, why in (
            ({"net_id": nothing, "port_id": nothing}, 400, "Must not input both network_id and port_id"),
            ({"fixed_ips": [{"ip_address": "10.0.0.9"}]}, 400, "Must input network_id when request IP address"),
            ({"net_id": nothing}, 404, f"Network {nothing} could not be found."),
            ({"port_id": nothing}, 404, f"Port id {nothing} could not be found."),
            (
                {"net_id": first["net_id"], "fixed_ips": [{"ip_address": fixed["ip_address"]}]},
                409,
                f"Fixed IP address {fixed['ip_address']} is already in use on instance {server['id']}.",
            ),
            ({"net_id": first["net_id"], "fixed_ips": []}, 400, "fixed_ips"),
            ({"net_id": "x"}, 400, "net_id"),
        ):
            answer = await cloud.demo.post(path, json={"interfaceAttachment": attachment})
            assert answer.status_code == status, (attachment, answer.text)
            [told] = answer.json().values()
            assert why in told["message"]
        assert len((await cloud.demo.get(path)).json()["interfaceAttachments"]) == 1


async def test_a_guest_that_takes_no_card_leaves_none() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        path = f"/compute/v2.1/servers/{server['id']}/os-interface"
        assert cloud.cloud.fake is not None
        cloud.cloud.fake.faults.add(Fault(verb="ensure_nic_attached", error=ErrorFacts("failed", "no free port")))
        answer = await cloud.demo.post(path, json={})
        assert (answer.status_code, answer.json()["computeFault"]["message"]) == (
            500,
            f"Failed to attach network adapter device to {server['id']}",
        )
        assert len((await cloud.demo.get(path)).json()["interfaceAttachments"]) == 1
        assert (await cloud.server(server["id"]))["status"] == "ACTIVE"


async def test_who_attaches_a_card_is_told_what_became_of_the_server_meanwhile() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        path = f"/compute/v2.1/servers/{server['id']}/os-interface"
        assert cloud.cloud.fake is not None
        cloud.cloud.fake.faults.add(Fault(verb="ensure_nic_attached", delay_s=5))
        answers: list[httpx.Response] = []

        async def attach() -> None:
            answers.append(await cloud.demo.post(path, json={}))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(attach)
            await anyio.sleep(1)
            assert (await cloud.demo.delete(f"/compute/v2.1/servers/{server['id']}")).status_code == 204
        [answer] = answers
        assert answer.status_code in (404, 409), answer.text
        await cloud.settled()
        assert await cloud.stuck() == []
        ports = await cloud.demo.get("/network/v2.0/ports", params={"device_id": server["id"]})
        assert ports.json()["ports"] == []


async def test_a_silent_host_is_named_to_who_attaches_a_card() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        await cloud.host_silent("host-1")
        path = f"/compute/v2.1/servers/{server['id']}/os-interface"
        answer = await cloud.demo.post(path, json={})
        assert answer.status_code == 503, answer.text
        assert answer.json()["serviceUnavailable"]["message"] == f"Host host-1 of instance {server['id']} is down"
        assert len((await cloud.demo.get(path)).json()["interfaceAttachments"]) == 1


async def test_addresses_come_and_go_before_2_44() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        old = await cloud.as_demo(version="compute 2.43")
        path = f"/compute/v2.1/servers/{server['id']}/os-interface"
        [card] = (await cloud.demo.get(path)).json()["interfaceAttachments"]
        added = await cloud.act(server["id"], {"addFixedIp": {"networkId": card["net_id"]}}, old)
        assert added.status_code == 202, added.text
        [now] = (await cloud.demo.get(path)).json()["interfaceAttachments"]
        assert len(now["fixed_ips"]) == 2
        address = now["fixed_ips"][1]["ip_address"]
        for status in (202, 400):
            removed = await cloud.act(server["id"], {"removeFixedIp": {"address": address}}, old)
            assert removed.status_code == status, removed.text
        assert removed.json()["badRequest"]["message"] == f"Instance {server['id']} does not have fixed IP '{address}'."
        assert (await cloud.demo.get(path)).json()["interfaceAttachments"] == [card]
        elsewhere = await cloud.act(server["id"], {"addFixedIp": {"networkId": "x"}}, old)
        assert elsewhere.status_code == 404
        assert (await cloud.act(server["id"], {"addFixedIp": {"networkId": card["net_id"]}})).status_code == 404
