"""A storm: 200 servers with a port each, 16 requests at once, until all are ACTIVE; and one server, from POST to ACTIVE."""

import asyncio
import time

from bench import figures, floors
from bench.clouds import Client, a_cloud

SERVERS = 200
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


if __name__ == "__main__":
    asyncio.run(main())
