"""Single requests: password token, servers in detail, a server, networks, ports; one at a time and 16 at once."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from bench import figures, floors
from bench.boot_storm import storm
from bench.clouds import a_cloud, credentials

Send = Callable[[], Awaitable[object]]


async def one_at_a_time(send: Send, count: int = 100) -> list[float]:
    """Seconds of each."""
    samples = []
    for _ in range(count):
        began = time.perf_counter()
        await send()
        samples.append(time.perf_counter() - began)
    return samples


async def at_once(send: Send, count: int, width: int = 16) -> float:
    """How many a second, with so many under way."""
    limit = asyncio.Semaphore(width)

    async def one() -> None:
        async with limit:
            await send()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(count)))
    return count / (time.perf_counter() - began)


async def main() -> None:
    async with a_cloud(hosts=4) as client:
        await client.unlimited()
        await client.look_around()

        async def token() -> None:
            answer = await client.post("/v3/auth/tokens", json=credentials("benchmark"))
            assert answer.status_code == 201

        async def port() -> None:
            answer = await client.post("/network/v2.0/ports", json={"port": {"network_id": client.network}})
            assert answer.status_code == 201, answer.text

        def get(path: str) -> Send:
            async def send() -> None:
                answer = await client.get(path)
                assert answer.status_code == 200, answer.text

            return send

        await token()
        tokens = await one_at_a_time(token)
        networks = await one_at_a_time(get("/network/v2.0/networks"))
        ports = await at_once(port, 400)
        await storm(client, 100)
        size = len((await client.get("/compute/v2.1/servers/detail")).content)
        detail = await one_at_a_time(get("/compute/v2.1/servers/detail"))
        shown = (await client.get("/compute/v2.1/servers")).json()["servers"][0]["id"]
        show = await one_at_a_time(get(f"/compute/v2.1/servers/{shown}"))
        busy = await at_once(get(f"/compute/v2.1/servers/{shown}"), 1000)
        async with floors.bare_application(size) as bare:
            bare_detail = await one_at_a_time(lambda: bare.get("/"))
        async with floors.bare_application(2000) as bare:
            bare_small = await one_at_a_time(lambda: bare.get("/"))
            bare_busy = await at_once(lambda: bare.get("/"), 1000)
        small = figures.p50(bare_small) * 1e3
        figures.show(
            "token_password_ms", figures.p50(tokens) * 1e3, "ms", floor=small, peer="token_password_ms", target="< 5"
        )
        figures.show("networks_ms", figures.p50(networks) * 1e3, "ms", floor=small, peer="networks_ms", target="< 2")
        figures.show("port_create_per_s", ports, "ports/s", floor=bare_busy, peer="port_create_per_s", target="> 270")
        figures.show(
            "servers_detail_100_ms", figures.p50(detail) * 1e3, "ms", floor=figures.p50(bare_detail) * 1e3,
            peer="servers_detail_100_ms", target="< 5",
        )  # fmt: skip
        figures.show("server_show_ms", figures.p50(show) * 1e3, "ms", floor=small, peer="server_show_ms")
        figures.show("server_show_per_s", busy, "requests/s", floor=bare_busy)


if __name__ == "__main__":
    asyncio.run(main())
