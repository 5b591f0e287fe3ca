"""Network: ports at 16 at once, lists, a rule that a thousand ports have to follow, addresses out of a /16 that is half taken."""

import asyncio
import time

from bench import figures, floors
from bench.clouds import Client, a_cloud
from bench.requests import at_once, one_at_a_time
from minicloud.core.context import administrator
from minicloud.core.network import networks, ports, quotas, subnets
from minicloud.engines.database import Transaction
from minicloud.engines.database.inline import InlineDatabase

URL = "/network/v2.0"
PROJECT = "b" * 32
TAKEN, MORE = 30_000, 1000


async def made(client: Client, path: str, kind: str, **values: object) -> str:
    """Make something; its id."""
    answer = await client.post(f"{URL}/{path}", json={kind: values})
    assert answer.status_code == 201, answer.text
    found: str = answer.json()[kind]["id"]
    return found


async def main() -> None:
    async with floors.bare_application(2000) as bare:
        small = figures.p50(await one_at_a_time(lambda: bare.get("/"))) * 1e3
        busy = await at_once(lambda: bare.get("/"), 1000)
    async with a_cloud() as client:
        await client.unlimited()
        network = await made(client, "networks", "network", name="n")
        await made(client, "subnets", "subnet", network_id=network, cidr="10.20.0.0/16", ip_version=4)
        group = await made(client, "security-groups", "security_group", name="g")

        async def port() -> None:
            await made(client, "ports", "port", network_id=network, security_groups=[group])

        async def listed() -> None:
            answer = await client.get(f"{URL}/networks")
            assert answer.status_code == 200, answer.text

        figures.show(
            "networks_ms", figures.p50(await one_at_a_time(listed)) * 1e3, "ms", floor=small, peer="networks_ms",
            target="< 2",
        )  # fmt: skip
        rate = await at_once(port, 1000)
        figures.show("port_create_per_s", rate, "ports/s", floor=busy, peer="port_create_per_s", target="> 400")
        numbers = iter(range(1, 1000))

        async def rule() -> None:
            number = next(numbers)
            values = {"direction": "ingress", "protocol": "tcp", "port_range_min": number, "port_range_max": number}
            await made(client, "security-group-rules", "security_group_rule", security_group_id=group, **values)

        samples = await one_at_a_time(rule, 50)
        figures.show("rule_on_1000_ports_ms", figures.p50(samples) * 1e3, "ms", floor=small)
        answer = await client.get(f"{URL}/ports", params={"network_id": network, "limit": "1000"})
        size = len(answer.content)
        seen = await one_at_a_time(
            lambda: client.get(f"{URL}/ports", params={"network_id": network, "limit": "1000"}), 20
        )
        async with floors.bare_application(size) as bare:
            floor = figures.p50(await one_at_a_time(lambda: bare.get("/"), 20)) * 1e3
        figures.show("ports_1000_ms", figures.p50(seen) * 1e3, "ms", floor=floor, more=f"{size} bytes")
    await addresses()


async def addresses() -> None:
    """Addresses out of a /16 of which nearly half are taken, without HTTP: a port each, all in one transaction."""
    database = InlineDatabase()

    def fill(tx: Transaction) -> str:
        quotas.change(tx, PROJECT, {"port": -1})
        network = networks.create(tx, project_id=PROJECT, name="n")
        subnets.create(tx, network, project_id=PROJECT, cidr="10.20.0.0/16", ip_version=4, enable_dhcp=False)
        for number in range(TAKEN):
            found = ports.create(tx, network, project_id=PROJECT)
            if number % 3 == 0:
                ports.remove(tx, found.port)
        return network.id

    def take(tx: Transaction) -> None:
        network = networks.get(tx, administrator(), network_id)
        for _ in range(MORE):
            ports.create(tx, network, project_id=PROJECT)

    network_id = await database.write(fill)
    began = time.perf_counter()
    await database.write(take)
    spent = time.perf_counter() - began
    floor = 1e6 / floors.commits_per_s(rows_each=4, count=MORE)
    figures.show("address_in_16_us", spent / MORE * 1e6, "us", floor=floor, more=f"{TAKEN} were taken")


if __name__ == "__main__":
    asyncio.run(main())
