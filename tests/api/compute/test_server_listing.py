"""Listing servers: pages, order, every filter, who sees what, and what was deleted or has changed since."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
import pytest

from minicloud.core import records
from minicloud.core.compute import lifecycle
from minicloud.core.compute.servers import Server
from minicloud.engines.database import Transaction
from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio
SERVERS = "/compute/v2.1/servers"


@pytest.fixture
async def cloud() -> AsyncIterator[TestedCloud]:
    """Five servers, a minute apart from each other: a, b, c of demo, x and y of the project other."""
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2, reconcile_interval=1e6)
        cloud.other = await cloud.a_project("other")  # type: ignore[attr-defined]
        for name, fields in (
            ("a", {"metadata": {"n": "1"}, "tags": ["red"]}),
            ("b", {"flavorRef": "2", "tags": ["red", "blue"]}),
            ("c", {"description": "last"}),
        ):
            await cloud.a_server(name=name, **fields)
            await anyio.sleep(60)
        for name in ("x", "y"):
            await cloud.a_server(cloud.other, name=name)  # type: ignore[attr-defined]
        yield cloud


async def names(client: httpx.AsyncClient, path: str = SERVERS, **params: Any) -> list[str]:
    """The names of the servers of a listing, in its order."""
    answer = await client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return [server["name"] for server in answer.json()["servers"]]


async def test_ones_own_newest_first_briefly_or_in_full(cloud: TestedCloud) -> None:
    assert await names(cloud.demo) == await names(cloud.demo, f"{SERVERS}/detail") == ["c", "b", "a"]
    brief = (await cloud.demo.get(SERVERS)).json()["servers"][0]
    assert set(brief) == {"id", "name", "links"}
    assert [s["status"] for s in (await cloud.demo.get(f"{SERVERS}/detail")).json()["servers"]] == ["ACTIVE"] * 3
    full = (await cloud.demo.get(f"{SERVERS}/detail")).json()["servers"][0]
    alone = await cloud.server(full["id"])
    del alone["server_groups"]
    assert full == alone


async def test_administrators_may_see_everybodys(cloud: TestedCloud) -> None:
    assert await names(cloud.admin) == []
    for value in ("1", "true", ""):
        assert sorted(await names(cloud.admin, all_tenants=value)) == ["a", "b", "c", "x", "y"]
    assert await names(cloud.admin, all_tenants="0") == []
    refused = await cloud.demo.get(SERVERS, params={"all_tenants": "1"})
    assert refused.status_code == 403
    assert "os_compute_api:servers:index:get_all_tenants" in refused.text
    refused = await cloud.demo.get(f"{SERVERS}/detail", params={"all_tenants": "1"})
    assert "os_compute_api:servers:detail:get_all_tenants" in refused.text
    project = (await cloud.demo.get(f"{SERVERS}/detail")).json()["servers"][0]["tenant_id"]
    assert await names(cloud.admin, all_tenants="1", project_id=project) == ["c", "b", "a"]
    assert await names(cloud.admin, all_tenants="1", tenant_id=project) == ["c", "b", "a"]


async def test_filters_of_administrators_are_passed_over_for_others(cloud: TestedCloud) -> None:
    everybody = (await cloud.admin.get(f"{SERVERS}/detail", params={"all_tenants": "1"})).json()["servers"]
    on_one = sorted(s["name"] for s in everybody if s["OS-EXT-SRV-ATTR:host"] == "host-1")
    assert 0 < len(on_one) < 5
    assert sorted(await names(cloud.admin, all_tenants="1", host="host-1")) == on_one
    assert await names(cloud.demo, host="nowhere") == ["c", "b", "a"]


async def test_pages_follow_each_other(cloud: TestedCloud) -> None:
    first = (await cloud.demo.get(SERVERS, params={"limit": "2"})).json()
    assert [s["name"] for s in first["servers"]] == ["c", "b"]
    [link] = first["servers_links"]
    assert link["rel"] == "next"
    where = urlsplit(link["href"])
    second = (await cloud.demo.get(f"{where.path}?{where.query}")).json()
    assert [s["name"] for s in second["servers"]] == ["a"]
    assert "servers_links" not in second
    assert await names(cloud.demo, limit="0") == []
    detailed = (await cloud.demo.get(f"{SERVERS}/detail", params={"limit": "1"})).json()["servers_links"][0]["href"]
    assert "/servers/detail?" in detailed
    for params in ({"limit": "-1"}, {"limit": "x"}, {"marker": "nobody"}):
        answer = await cloud.demo.get(SERVERS, params=params)
        assert answer.status_code == 400, params
    x = (await cloud.admin.get(SERVERS, params={"all_tenants": "1", "name": "^x$"})).json()["servers"][0]["id"]
    foreign = await cloud.demo.get(SERVERS, params={"marker": x})
    assert foreign.status_code in (200, 400)
    assert "x" not in [s["name"] for s in foreign.json().get("servers", [])]


async def test_order(cloud: TestedCloud) -> None:
    assert await names(cloud.demo, sort_key="created_at", sort_dir="asc") == ["a", "b", "c"]
    assert await names(cloud.demo, sort_key="display_name", sort_dir="desc") == ["c", "b", "a"]
    assert await names(cloud.demo, sort_key="display_name") == ["c", "b", "a"]
    assert await names(cloud.demo, sort_key="power_state", sort_dir="asc") == ["a", "b", "c"]
    assert (await cloud.demo.get(SERVERS, params={"sort_key": "user_data"})).status_code == 400
    assert (await cloud.demo.get(SERVERS, params={"sort_key": "created_at", "sort_dir": "up"})).status_code == 400


async def test_filters(cloud: TestedCloud) -> None:
    a = (await cloud.demo.get(f"{SERVERS}/detail", params={"name": "^a"})).json()["servers"][0]
    address = next(iter(a["addresses"].values()))[0]["addr"]
    for params, wanted in (
        ({"name": "a|b"}, ["b", "a"]),
        ({"name": "nobody"}, []),
        ({"flavor": "2"}, ["b"]),
        ({"flavor": "%"}, []),
        ({"image": await cloud.image_id()}, ["c", "b", "a"]),
        ({"ip": address}, ["a"]),
        ({"locked": "true"}, []),
        ({"locked": "False"}, ["c", "b", "a"]),
        ({"vm_state": "active"}, ["c", "b", "a"]),
        ({"status": "ACTIVE"}, ["c", "b", "a"]),
        ({"status": "active"}, ["c", "b", "a"]),
        ({"status": "SHUTOFF"}, []),
        ({"status": ["SHUTOFF", "ACTIVE"]}, ["c", "b", "a"]),
        ({"uuid": a["id"], "description": "last"}, ["c", "b", "a"]),
        ({"power_state": "1"}, ["c", "b", "a"]),
        ({"tags": "red"}, ["b", "a"]),
        ({"tags": "red,blue"}, ["b"]),
        ({"tags-any": "red,blue"}, ["b", "a"]),
        ({"not-tags": "red,blue"}, ["c", "a"]),
        ({"not-tags-any": "red,blue"}, ["c"]),
    ):
        assert await names(cloud.demo, **params) == wanted, params
    for params in ({"name": "["}, {"locked": "perhaps"}, {"changes-since": "yesterday"}, {"unknown": "x"}):
        assert (await cloud.demo.get(SERVERS, params=params)).status_code == 400, params


async def test_filters_of_administrators(cloud: TestedCloud) -> None:
    found = (await cloud.admin.get(f"{SERVERS}/detail", params={"all_tenants": "1"})).json()["servers"]
    by_name = {server["name"]: server for server in found}
    for params, wanted in (
        ({"uuid": by_name["x"]["id"]}, ["x"]),
        ({"display_description": "^la"}, ["c"]),
        ({"description": "^la"}, ["a", "b", "c", "x", "y"]),
        ({"config_drive": "True"}, []),
        ({"config_drive": "^$"}, ["a", "b", "c", "x", "y"]),
        ({"config_drive": "odd"}, []),
        ({"power_state": "x"}, []),
        ({"progress": "^0$"}, ["a", "b", "c", "x", "y"]),
        ({"launch_index": "x"}, []),
        ({"display_name": "x"}, ["x"]),
        ({"launch_index": "1"}, []),
        ({"tenant_id": by_name["x"]["tenant_id"]}, ["x", "y"]),
        ({"access_ip_v4": "1"}, []),
    ):
        assert sorted(await names(cloud.admin, all_tenants="1", **params)) == wanted, params
    for params in ({"metadata": "x"}, {"all_tenants": "perhaps"}):
        assert (await cloud.admin.get(SERVERS, params=params)).status_code == 400, params


def version(number: str) -> dict[str, str]:
    return {"OpenStack-API-Version": f"compute {number}"}


async def test_what_has_to_be_an_expression_is_one_whoever_says_it(cloud: TestedCloud) -> None:
    for name in ("name", "ip", "ip6", "access_ip_v4", "key_name", "flavor", "config_drive", "tags", "not-tags-any"):
        for text in ("[", ""):
            answer = await cloud.demo.get(SERVERS, params={name: text}, headers=version("2.26"))
            told = f"Invalid input for query parameters {name}. Value: {text}. {text!r} is not a 'regex'"
            assert (answer.status_code, answer.json()["badRequest"]["message"]) == (400, told)
    assert (await cloud.demo.get(SERVERS, params={"host": "["})).status_code == 200
    assert (await cloud.demo.get(SERVERS, params={"tags": "["}, headers=version("2.25"))).status_code == 200
    for params in ({"all_tenants": "x"}, {"locked": "x"}):
        told = "Invalid input received: Unrecognized value 'x', acceptable values are: '0', '1', 'f', 'false', 'n', "
        answer = await cloud.demo.get(SERVERS, params=params)
        assert answer.json()["badRequest"]["message"].startswith(told), answer.text
    # Before 2.66 only whoever may use every filter is held to the end of a period.
    backwards = {"changes-since": "2026-11-22T00:00:00Z", "changes-before": "2026-11-20T00:00:00Z"}
    for client, status in ((cloud.demo, 200), (cloud.admin, 400)):
        assert (await client.get(SERVERS, params=backwards, headers=version("2.65"))).status_code == status


async def test_filters_of_what_stands_elsewhere(cloud: TestedCloud) -> None:
    servers = {one["name"]: one["id"] for one in (await cloud.demo.get(SERVERS)).json()["servers"]}
    assert (await cloud.act(servers["a"], {"lock": None})).status_code == 202
    assert (await cloud.act(servers["b"], {"lock": None}, cloud.admin)).status_code == 202
    everybody = {"all_tenants": "1", "sort_key": "display_name", "sort_dir": "asc"}
    for name, value, found in (
        ("locked_by", "owner", ["a"]),
        ("locked_by", "a.min", ["b"]),
        ("root_device_name", "vd", ["a", "b", "c", "x", "y"]),
        ("root_device_name", "sd", []),
        ("kernel_id", "none", []),
        ("auto_disk_config", "true", []),
        ("auto_disk_config", "0", ["a", "b", "c", "x", "y"]),
    ):
        assert await names(cloud.admin, **everybody, **{name: value}) == found, (name, value)
    assert (await cloud.admin.get(SERVERS, params={"locked_by": "["})).status_code == 400
    assert await names(cloud.demo, locked_by="owner") == ["c", "b", "a"]


async def test_each_version_has_its_filters(cloud: TestedCloud) -> None:
    async def at(version: str, **params: str) -> list[str] | int:
        headers = {"OpenStack-API-Version": f"compute {version}"}
        answer = await cloud.demo.get(SERVERS, params=params, headers=headers)
        return [s["name"] for s in answer.json()["servers"]] if answer.status_code == 200 else answer.status_code

    everything = ["c", "b", "a"]
    assert await at("2.74", odd="x") == everything
    assert await at("2.25", tags="red") == everything
    assert await at("2.26", tags="red") == ["b", "a"]
    assert await at("2.65", **{"changes-before": "2020-01-01T00:00:00Z"}) == everything
    assert await at("2.66", **{"changes-before": "2020-01-01T00:00:00Z"}) == []
    assert await at("2.72", locked="true") == everything
    assert await at("2.73", locked="true") == []
    assert await at("2.82", vm_state="error") == everything
    assert await at("2.83", vm_state="error") == []
    assert await at("2.89", hostname="^a$") == everything
    assert await at("2.90", hostname="^a$") == ["a"]
    assert await at("2.74", sort_key="memory_mb", sort_dir="asc") == everything
    assert await at("2.75", sort_key="memory_mb") == 400
    assert await at("2.75", sort_key="locked") == everything
    assert await at("2.1", sort_key="host") == 403
    assert await at("2.104", status="deleted") == 403


async def test_a_status_finds_the_states_that_may_show_it(cloud: TestedCloud) -> None:
    servers = (await cloud.demo.get(SERVERS)).json()["servers"]
    states = {"a": ("active", "rebooting_hard"), "b": ("stopped", None), "c": ("active", "powering-off")}

    def force(tx: Transaction) -> None:
        for server in servers:
            vm_state, task = states[server["name"]]
            records.change(tx, records.get(tx, Server, server["id"]), vm_state=vm_state, task_state=task)

    await cloud.write(force)
    assert await names(cloud.demo, status="HARD_REBOOT") == ["a"]
    assert await names(cloud.demo, status="SHUTOFF") == ["b"]
    # Nova does not look at tasks where the status needs none: a server that is rebooted is among the active ones.
    assert await names(cloud.demo, status="ACTIVE") == ["c", "a"]
    assert await names(cloud.demo, status=["HARD_REBOOT", "SHUTOFF"]) == ["c", "b", "a"]
    for status in {plain for plain, _ in lifecycle.STATUSES.values()} - {"DELETED"}:
        assert set(await names(cloud.demo, status=status)) <= {"a", "b", "c"}
    old, new = {"OpenStack-API-Version": "compute 2.37"}, {"OpenStack-API-Version": "compute 2.38"}
    assert (await cloud.demo.get(SERVERS, params={"status": "FANCY"}, headers=new)).status_code == 400
    answer = await cloud.demo.get(SERVERS, params={"status": "FANCY"}, headers=old)
    assert (answer.status_code, answer.json()["servers"]) == (200, [])


async def test_deleted_servers_are_shown_to_administrators_who_ask(cloud: TestedCloud) -> None:
    [b] = (await cloud.demo.get(SERVERS, params={"name": "^b$"})).json()["servers"]
    await cloud.demo.delete(f"{SERVERS}/{b['id']}")
    await cloud.settled()
    assert await names(cloud.demo) == ["c", "a"]
    assert await names(cloud.demo, deleted="true") == ["c", "a"]
    assert await names(cloud.admin, all_tenants="1", status="DELETED") == ["b"]
    assert await names(cloud.admin, all_tenants="1", deleted="true") == ["b"]
    [shown] = (await cloud.admin.get(f"{SERVERS}/detail", params={"all_tenants": "1", "deleted": "1"})).json()[
        "servers"
    ]
    assert (shown["status"], shown["OS-EXT-STS:vm_state"]) == ("DELETED", "deleted")
    assert shown["OS-SRV-USG:terminated_at"] is not None


async def test_what_has_changed_since_a_moment_deleted_ones_too(cloud: TestedCloud) -> None:
    await anyio.sleep(600)
    found = (await cloud.demo.get(SERVERS)).json()["servers"]
    c, b, _ = (server["id"] for server in found)
    await cloud.demo.delete(f"{SERVERS}/{b}")
    await cloud.act(c, {"os-stop": None})
    await cloud.settled()
    since = "2026-11-21T10:10:00Z"
    assert sorted(await names(cloud.demo, **{"changes-since": since})) == ["b", "c"]
    everybody = {"all_tenants": "1", "changes-since": since}
    assert sorted(await names(cloud.admin, **everybody, deleted="false")) == ["c"]
    assert await names(cloud.demo, **{"changes-since": "2026-11-21T12:10:00+01:00"}) == []
    assert await names(cloud.demo, **{"changes-before": since}) == ["a"]
    backwards = {"changes-since": "2026-11-22T00:00:00Z", "changes-before": since}
    assert (await cloud.demo.get(SERVERS, params=backwards)).status_code == 400


async def test_what_changed_in_a_second_changed_until_that_second(cloud: TestedCloud) -> None:
    await anyio.sleep(0.7)
    found = (await cloud.demo.get(f"{SERVERS}/detail")).json()["servers"]
    await cloud.act(found[0]["id"], {"os-stop": None})
    await cloud.settled()
    row = await cloud.cloud.world.database.read(lambda tx: records.get(tx, Server, found[0]["id"]))
    assert row.updated_at[19:] > ".000000Z"
    shown = (await cloud.server(found[0]["id"]))["updated"]
    assert sorted(await names(cloud.demo, **{"changes-before": shown})) == ["a", "b", "c"]
    assert sorted(await names(cloud.demo, **{"changes-before": shown, "changes-since": shown})) == ["c"]
    earlier = found[1]["updated"]
    assert sorted(await names(cloud.demo, **{"changes-before": earlier})) == ["a", "b"]
    assert len(await names(cloud.demo, **{"changes-before": "9999-12-31T23:59:59Z"})) == 3


async def test_a_listing_costs_few_statements_however_many_servers_there_are(cloud: TestedCloud) -> None:
    """Counted, not timed: what stands elsewhere is read for all servers at once."""
    counts = []
    for more in (0, 5):
        for number in range(more):
            await cloud.a_server(name=f"more{number}")
        statements = 0
        connection: Any = cloud.cloud.world.database._connection  # type: ignore[attr-defined]

        def count(_: str) -> None:
            nonlocal statements
            statements += 1

        connection.set_trace_callback(count)
        await cloud.demo.get(f"{SERVERS}/detail")
        connection.set_trace_callback(None)
        counts.append(statements)
    assert counts[0] == counts[1] < 20
