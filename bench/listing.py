"""Listing among 10,000 servers: a page of 1,000 and of 100 in detail, with filters; what it costs must not grow with their number."""

import asyncio
import sqlite3
from pathlib import Path

from bench import figures, floors
from bench.boot_storm import storm
from bench.clouds import Client, a_cloud
from bench.requests import Send, one_at_a_time

SERVERS = 10_000
REAL = 100
REPAIRED_S = 4
COPIED = (("servers", "id"), ("ports", "id"))


def multiply(path: Path, times: int) -> None:
    """Copy each server with its port, address and group so many times, as if it had been booted as often."""
    with sqlite3.connect(path, timeout=60) as db:
        db.create_function("place", 2, lambda text, copy: f"{text[:-12]}{copy:012x}")
        for copy in range(times):
            for table, key in COPIED:
                columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
                shown = [
                    f"place({name}, {copy + 1})"
                    if name in (key, "device_id") else f"mac_address || '{copy}'" if name == "mac_address" else f'"{name}"'
                    for name in columns
                ]  # fmt: skip
                where = "name LIKE 'storm-%'" if table == "servers" else "device_owner LIKE 'compute:%'"
                names = ", ".join(f'"{name}"' for name in columns)
                real = f"{where} AND {key} IN (SELECT id FROM real_{table})"
                db.execute(
                    f"CREATE TEMP TABLE IF NOT EXISTS real_{table} AS SELECT {key} AS id FROM {table} WHERE {where}"
                )
                db.execute(f"INSERT INTO {table} ({names}) SELECT {', '.join(shown)} FROM {table} WHERE {real}")
            db.execute(
                f"INSERT INTO ip_allocations SELECT subnet_id, address || '.{copy}', place(port_id, {copy + 1}), network_id, position "
                "FROM ip_allocations WHERE port_id IN (SELECT id FROM real_ports)"
            )
            db.execute(
                f"INSERT INTO port_security_groups SELECT place(port_id, {copy + 1}), security_group_id "
                "FROM port_security_groups WHERE port_id IN (SELECT id FROM real_ports)"
            )


def get(client: Client, query: str) -> Send:
    """A page in detail."""

    async def send() -> None:
        answer = await client.get(f"/compute/v2.1/servers/detail?{query}")
        assert answer.status_code == 200, answer.text
        assert len(answer.content) > 10_000

    return send


async def main() -> None:
    async with a_cloud(hosts=4) as client:
        await client.unlimited()
        await client.look_around()
        await storm(client, REAL)
        # The first round of repairs is over: the servers that are copied have no machines, and it would mend 10,000 of them.
        await asyncio.sleep(REPAIRED_S)
        few = figures.p50(await one_at_a_time(get(client, "limit=100"), 20)) * 1e3
        multiply(client.data / "cloud.db", SERVERS // REAL - 1)
        whole = figures.p50(await one_at_a_time(get(client, "limit=1000"), 10)) * 1e3
        size = len((await client.get("/compute/v2.1/servers/detail?limit=1000")).content)
        page = figures.p50(await one_at_a_time(get(client, "limit=100"), 40)) * 1e3
        filtered = figures.p50(await one_at_a_time(get(client, "limit=100&status=ACTIVE&name=storm-7"), 20)) * 1e3
        async with floors.bare_application(size) as bare:
            floor = figures.p50(await one_at_a_time(lambda: bare.get("/"), 20)) * 1e3
        figures.show("list_1000_of_10000_ms", whole, "ms", floor=floor, target="< 60")
        figures.show("list_100_of_10000_ms", page, "ms", target="< 8", more=f"of 100: {few:.3g} ms")
        figures.show("list_100_filtered_of_10000_ms", filtered, "ms", target="< 8")


if __name__ == "__main__":
    asyncio.run(main())
