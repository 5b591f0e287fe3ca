"""A storm: 200 servers with a port each, 16 requests at once, until all are ACTIVE; one server, from POST to ACTIVE; 1,000 on 100 hosts."""

import asyncio
import time

from bench import figures, floors
from bench.clouds import Client, a_cloud

SERVERS = 200
MANY, MANY_HOSTS = 1000, 100
AT_ONCE = 16
POLL_S = 0.02


async def boot(client: Client, name: str) -> tuple[float, float]:
    """Seconds until the POST was answered, and until the server was ACTIVE: looked at every 20 ms from the POST on."""
    began = time.perf_counter()
    answer = await client.post("/compute/v2.1/servers", json=client.server(name))
    assert answer.status_code == 202, answer.text
    accepted = time.perf_counter() - began
    url = f"/compute/v2.1/servers/{answer.json()['server']['id']}"
    while True:
        server = (await client.get(url)).json()["server"]
        if server["status"] != "BUILD":
            assert server["status"] == "ACTIVE", server
            return accepted, time.perf_counter() - began
        waited = time.perf_counter() - began
        await asyncio.sleep(POLL_S - waited % POLL_S)


async def storm(client: Client, count: int) -> float:
    """Seconds until all are ACTIVE: asked for by 16 at once, then counted with one listing every 50 ms."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with limit:
            answer = await client.post("/compute/v2.1/servers", json=client.server(f"storm-{number}"))
            assert answer.status_code == 202, answer.text

    began = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(count)))
    while True:
        found = (await client.get("/compute/v2.1/servers", params={"status": "BUILD", "name": "storm-"})).json()[
            "servers"
        ]
        if not found:
            break
        await asyncio.sleep(0.05)
    seconds = time.perf_counter() - began
    active = (
        await client.get("/compute/v2.1/servers", params={"status": "ACTIVE", "name": "storm-", "limit": "1000"})
    ).json()
    assert len(active["servers"]) == count, len(active["servers"])
    return seconds


async def large_network(client: Client) -> None:
    """Servers are asked onto a network that has room for all of them."""
    made = (await client.post("/network/v2.0/networks", json={"network": {"name": "large"}})).json()["network"]
    subnet = {"network_id": made["id"], "ip_version": 4, "cidr": "10.77.0.0/16"}
    answer = await client.post("/network/v2.0/subnets", json={"subnet": subnet})
    assert answer.status_code == 201, answer.text
    client.network = made["id"]


async def actions(client: Client, count: int) -> float:
    """How many actions a second, from the first request until all servers have stopped and started again."""
    found = (await client.get("/compute/v2.1/servers", params={"limit": str(count), "name": "storm-"})).json()[
        "servers"
    ]
    limit = asyncio.Semaphore(AT_ONCE)

    async def act(server_id: str, name: str) -> None:
        async with limit:
            answer = await client.post(f"/compute/v2.1/servers/{server_id}/action", json={name: None})
            assert answer.status_code == 202, answer.text

    began = time.perf_counter()
    for name, status in (("os-stop", "SHUTOFF"), ("os-start", "ACTIVE")):
        await asyncio.gather(*(act(server["id"], name) for server in found))
        wished = {"status": status, "name": "storm-", "limit": "1000"}
        want = count if name == "os-stop" else MANY
        while len((await client.get("/compute/v2.1/servers", params=wished)).json()["servers"]) < want:
            await asyncio.sleep(0.05)
    return 2 * count / (time.perf_counter() - began)


async def floor_per_s(count: int) -> float:
    """The same number of POSTs and a GET each, answered by a bare application."""
    async with floors.bare_application(400) as client:
        limit = asyncio.Semaphore(AT_ONCE)

        async def one() -> None:
            async with limit:
                await client.post("/", json={"server": {"name": "x" * 100}})

        began = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(count)))
        return count / (time.perf_counter() - began)


async def main() -> None:
    async with a_cloud(hosts=4) as client:
        await client.unlimited()
        await client.look_around()
        await boot(client, "warm-up")
        single = [await boot(client, f"one-{number}") for number in range(40)]
        floor = await floor_per_s(SERVERS)
        seconds = await storm(client, SERVERS)
        commits = floors.commits_per_s()
        figures.show("boot_post_ms", figures.p50([a for a, _ in single]) * 1e3, "ms")
        figures.show(
            "boot_ms", figures.p50([b for _, b in single]) * 1e3, "ms", peer="boot_ms", target="< 22",
            more=f"p99 {figures.p99([b for _, b in single]) * 1e3:.1f} ms",
        )  # fmt: skip
        figures.show(
            "boot_storm_per_s", SERVERS / seconds, "servers/s", floor=floor, peer="boot_storm_per_s", target="> 108",
            more=f"floor: bare POSTs/s; bare sqlite: {commits:.0f} commits/s of 10 rows",
        )  # fmt: skip
    async with a_cloud(hosts=MANY_HOSTS) as client:
        await client.unlimited()
        await client.look_around()
        await large_network(client)
        seconds = await storm(client, MANY)
        figures.show("boot_storm_1000_on_100_hosts_per_s", MANY / seconds, "servers/s", target="> 100")
        figures.show("actions_per_s", await actions(client, 200), "actions/s", more="stop and start, 16 at once")


if __name__ == "__main__":
    asyncio.run(main())
