"""Starting: from the command to the first token, and what an idle cloud costs."""

import asyncio

from bench import figures
from bench.clouds import a_cloud, cpu_seconds, pss_mib


async def main() -> None:
    seconds = []
    for _ in range(5):
        async with a_cloud() as client:
            seconds.append(client.seconds_to_start)
            idle = pss_mib(client.pid)
            before = cpu_seconds(client.pid)
            await asyncio.sleep(2)
            busy = (cpu_seconds(client.pid) - before) * 30
    figures.show("start_to_token_s", figures.p50(seconds), "s", peer="start_s", target="< 1")
    figures.show(
        "memory_idle_mib", idle, "MiB", peer="memory_idle_mib", target="< 100", more=f"idle CPU {busy:.2f} s a minute"
    )
    async with a_cloud(hosts=1000) as client:
        figures.show("start_1000_hosts_s", client.seconds_to_start, "s", more=f"{pss_mib(client.pid):.0f} MiB")


if __name__ == "__main__":
    asyncio.run(main())
