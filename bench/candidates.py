"""Placement: allocation candidates among a thousand and ten thousand simulated hosts, and the heartbeats of so many."""

import asyncio

from bench import figures, floors
from bench.boot_storm import storm
from bench.clouds import a_cloud, cpu_seconds
from bench.requests import one_at_a_time

QUERY = "/placement/allocation_candidates?resources=VCPU:1,MEMORY_MB:512,DISK_GB:1"
ROUND_S = 60
HEADERS = {"OpenStack-API-Version": "placement 1.39"}


async def main() -> None:
    async with floors.bare_application(100_000) as bare:
        floor = figures.p50(await one_at_a_time(lambda: bare.get("/"))) * 1e3
    for hosts, query, name, target in (
        (1000, QUERY, "candidates_1000_ms", "< 9"),
        (10000, f"{QUERY}&limit=100", "candidates_10000_limit_100_ms", "< 20"),
    ):
        async with a_cloud(hosts=hosts) as client:
            answer = await client.get(query, headers=HEADERS)
            assert answer.status_code == 200, answer.text
            samples = await one_at_a_time(lambda c=client, q=query: c.get(q, headers=HEADERS), 50)
            found = len(answer.json()["provider_summaries"])
            figures.show(
                name, figures.p50(samples) * 1e3, "ms", floor=floor, peer=name, target=target,
                more=f"{len(answer.json()['allocation_requests'])} candidates of {found} providers, {len(answer.content)} bytes",
            )  # fmt: skip
            figures.show(f"start_{hosts}_hosts_s", client.seconds_to_start, "s")
            if hosts == 10000:
                before = cpu_seconds(client.pid)
                # As long as repairs wait between two rounds, so that there is one round in it wherever it begins.
                await asyncio.sleep(ROUND_S)
                share = (cpu_seconds(client.pid) - before) / ROUND_S
                figures.show(
                    "heartbeats_10000_cpu", share * 100, "% of a core", target="< 5",
                    more="over a minute, with one round of repairs that asks all hosts",
                )  # fmt: skip
                await client.unlimited()
                await client.look_around()
                seconds = await storm(client, 100)
                members = (await client.get("/compute/v2.1/os-services", params={"binary": "nova-compute"})).json()
                down = [s["host"] for s in members["services"] if s["state"] != "up"]
                assert not down, f"declared dead during a storm: {down[:5]}"
                figures.show("storm_on_10000_hosts_per_s", 100 / seconds, "servers/s", more="no host was declared dead")


if __name__ == "__main__":
    asyncio.run(main())
