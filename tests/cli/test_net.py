"""``minicloud net trace``: asked with the names that people use, answered in words, on the records of a whole cloud."""

from contextlib import AsyncExitStack
from typing import Any

import pytest

from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.cli.net import written
from minicloud.operations.ways import Way, way
from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio
NETWORK = "/network/v2.0"


async def asked(cloud: TestedCloud, port: str, destination: str, **more: Any) -> Way:
    return await cloud.read(lambda tx: way(tx, port=port, destination=destination, **more))


async def test_servers_are_asked_about_by_name_and_a_rule_opens_the_way() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        made = [await cloud.a_server(name=name) for name in ("web", "db")]
        [port] = (await cloud.demo.get(f"{NETWORK}/ports?device_id={made[1]['id']}")).json()["ports"]
        address = port["fixed_ips"][0]["ip_address"]
        public = (await cloud.demo.get(f"{NETWORK}/networks?name=public")).json()["networks"][0]["id"]
        inside = await asked(cloud, "web", "db", protocol="tcp", number=22)
        assert inside.arrives is True, "members of the default group reach each other"
        assert [step.at for step in inside.steps] == [
            *("wire", "dhcp", "anti-spoofing", "egress", "route", "wire", "ingress", "arrives")
        ]
        lines = written(inside)
        assert lines[0].startswith(f"tcp 22 from {inside.packet.source} to {address} arrives: port {port['id']} of db")
        assert "  yes  ingress        security group default lets anything from default in" in lines

        body = {"floatingip": {"floating_network_id": public, "port_id": port["id"]}}
        floating = (await cloud.demo.post(f"{NETWORK}/floatingips", json=body)).json()["floatingip"]
        refused = await asked(cloud, "web", floating["floating_ip_address"], protocol="tcp", number=22)
        assert refused.arrives is False
        assert refused.steps[-1].at == "ingress"
        assert refused.steps[-1].why.startswith("no rule of default lets tcp 22 from ")
        rule = {"security_group_id": port["security_groups"][0], "direction": "ingress", "protocol": "tcp"}
        rule |= {"port_range_min": 22, "port_range_max": 22}
        assert (
            await cloud.demo.post(f"{NETWORK}/security-group-rules", json={"security_group_rule": rule})
        ).status_code == 201
        assert (await asked(cloud, "web", floating["floating_ip_address"], protocol="tcp", number=22)).arrives is True
        beyond = await asked(cloud, address, "198.51.100.7")
        assert beyond.arrives is None
        assert written(beyond)[0].startswith(f"icmp from {address} to 198.51.100.7 leaves what the cloud knows of")
        assert f"as {floating['floating_ip_address']}" in beyond.steps[-2].why
        assert (await asked(cloud, "web", "169.254.169.254", protocol="tcp", number=80)).steps[-1].at == "metadata"
        assert (await asked(cloud, "web", "db", source="10.9.9.9")).steps[-1].at == "anti-spoofing"


async def test_what_cannot_be_asked_is_refused_in_words() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        for _ in range(2):
            await cloud.a_server(name="web")
        for port, destination, more, kind in (
            ("nobody", "10.0.0.1", {}, NotFound),
            ("web", "10.0.0.1", {}, Conflict),
            ("web", "10.0.0.1", {"protocol": "sctp"}, Invalid),
            ("web", "10.0.0.1", {"protocol": "tcp"}, Invalid),
            ("web", "10.0.0.1", {"number": 80}, Invalid),
        ):
            with pytest.raises(kind):
                await asked(cloud, port, destination, **more)
        [one, _] = (await cloud.demo.get(f"{NETWORK}/ports?device_owner=compute:nova")).json()["ports"]
        for destination, kind in (("nobody", NotFound), ("fd00::1", Invalid)):
            with pytest.raises(kind):
                await asked(cloud, one["id"], destination)
