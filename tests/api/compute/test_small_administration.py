"""Hosts, audits, external events, usage, topology, consoles, shares: small parts for administrators and other services."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest

from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio
V = "/compute/v2.1"
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
async def cloud() -> AsyncIterator[TestedCloud]:
    async with AsyncExitStack() as stack:
        yield await a_cloud(stack, hosts=2, reconcile_interval=1e6)


def at(version: str) -> dict[str, str]:
    return {"OpenStack-API-Version": f"compute {version}"}


async def test_hosts_before_243(cloud: TestedCloud) -> None:
    server = await cloud.a_server(cloud.admin)
    found = (await cloud.admin.get(f"{V}/os-hosts", headers=at("2.42"))).json()["hosts"]
    computes = sorted(one["host_name"] for one in found if one["service"] == "compute")
    assert computes == ["host-1", "host-2"]
    zoned = (await cloud.admin.get(f"{V}/os-hosts?zone=nova", headers=at("2.42"))).json()["hosts"]
    assert [one["zone"] for one in zoned] == ["nova", "nova"]
    host = server["OS-EXT-SRV-ATTR:host"]
    lines = [
        one["resource"] for one in (await cloud.admin.get(f"{V}/os-hosts/{host}", headers=at("2.42"))).json()["host"]
    ]
    assert [line["project"] for line in lines] == ["(total)", "(used_now)", "(used_max)", server["tenant_id"]]
    assert [line["cpu"] for line in lines[1:]] == [1, 1, 1]
    assert (await cloud.admin.get(f"{V}/os-hosts/nowhere", headers=at("2.42"))).status_code == 404
    body = {"status": "enable"}
    assert (await cloud.admin.put(f"{V}/os-hosts/{host}", json=body, headers=at("2.42"))).status_code == 501
    assert (await cloud.admin.put(f"{V}/os-hosts/nowhere", json=body, headers=at("2.42"))).status_code == 404
    assert (await cloud.admin.put(f"{V}/os-hosts/{host}", json={}, headers=at("2.42"))).status_code == 400
    for verb in ("startup", "shutdown", "reboot"):
        assert (await cloud.admin.get(f"{V}/os-hosts/{host}/{verb}", headers=at("2.42"))).status_code == 501
    assert (await cloud.admin.get(f"{V}/os-hosts")).status_code == 404


async def test_no_audit_ever_ran(cloud: TestedCloud) -> None:
    log = (await cloud.admin.get(f"{V}/os-instance_usage_audit_log")).json()["instance_usage_audit_logs"]
    assert (log["period_beginning"], log["period_ending"]) == ("2026-10-01 00:00:00", "2026-11-01 00:00:00")
    assert (log["hosts_not_run"], log["num_hosts_not_run"]) == ([], 0)
    one = await cloud.admin.get(f"{V}/os-instance_usage_audit_log/2026-01-05 00:00:00")
    assert one.json()["instance_usage_audit_log"]["period_beginning"] == "2025-12-01 00:00:00"
    assert (await cloud.admin.get(f"{V}/os-instance_usage_audit_log/yesterday")).status_code == 400


async def test_external_events_each_with_its_outcome(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    good = {"name": "network-vif-plugged", "server_uuid": server["id"], "tag": "x"}
    answer = await cloud.admin.post(f"{V}/os-server-external-events", json={"events": [good]})
    assert (answer.status_code, answer.json()["events"]) == (200, [{**good, "status": "completed", "code": 200}])
    bad = [good, {**good, "server_uuid": NOBODY}, {"name": "volume-extended", "server_uuid": server["id"]}]
    answer = await cloud.admin.post(f"{V}/os-server-external-events", json={"events": bad})
    assert (answer.status_code, [one["code"] for one in answer.json()["events"]]) == (207, [200, 404, 400])
    for events, version in (
        ([{**good, "name": "x"}], "2.104"),
        ([], "2.104"),
        ([{**good, "name": "volume-extended"}], "2.50"),
    ):
        refused = await cloud.admin.post(f"{V}/os-server-external-events", json={"events": events}, headers=at(version))
        assert refused.status_code == 400
    assert (await cloud.demo.post(f"{V}/os-server-external-events", json={"events": [good]})).status_code == 403


async def test_usage_in_exact_hours(cloud: TestedCloud) -> None:
    first = await cloud.a_server(flavorRef="2")
    await anyio.sleep(5400)
    await cloud.demo.delete(f"{V}/servers/{first['id']}")
    await cloud.settled()
    await cloud.a_server()
    await anyio.sleep(1800)
    window = {"start": "2026-11-21T00:00:00", "end": "2026-11-22T00:00:00"}
    project = first["tenant_id"]
    told = (await cloud.demo.get(f"{V}/os-simple-tenant-usage/{project}", params=window)).json()["tenant_usage"]
    assert told["total_hours"] == pytest.approx(2.0, abs=0.01)
    assert told["total_vcpus_usage"] == pytest.approx(2.0, abs=0.01)
    assert told["total_memory_mb_usage"] == pytest.approx(1.5 * 2048 + 0.5 * 512, abs=10)
    states = {
        one["instance_id"] == first["id"]: (one["state"], round(one["hours"], 2)) for one in told["server_usages"]
    }
    assert states == {True: ("terminated", 1.5), False: ("active", 0.5)}
    half = {"start": "2026-11-21T10:30:00", "end": "2026-11-21T11:00:00"}
    told = (await cloud.demo.get(f"{V}/os-simple-tenant-usage/{project}", params=half)).json()["tenant_usage"]
    assert told["total_hours"] == 0.5
    now = await cloud.admin.get(f"{V}/os-simple-tenant-usage")
    assert now.status_code == 200, now.text
    everybody = (await cloud.admin.get(f"{V}/os-simple-tenant-usage", params=window)).json()["tenant_usages"]
    assert [(one["tenant_id"], "server_usages" in one) for one in everybody] == [(project, False)]
    none = await cloud.admin.get(f"{V}/os-simple-tenant-usage", params={**window, "limit": "0"})
    assert none.json() == {"tenant_usages": []}, "a page of nothing leads nowhere"
    paged = await cloud.admin.get(f"{V}/os-simple-tenant-usage", params={**window, "limit": "1", "detailed": "1"})
    assert len(paged.json()["tenant_usages"][0]["server_usages"]) == 1
    marker = paged.json()["tenant_usages"][0]["server_usages"][0]["instance_id"]
    assert paged.json()["tenant_usages_links"][0]["href"].endswith(f"marker={marker}")
    assert (await cloud.demo.get(f"{V}/os-simple-tenant-usage/{NOBODY}")).status_code == 403
    nothing = await cloud.admin.get(f"{V}/os-simple-tenant-usage/{NOBODY}", params=window)
    assert nothing.json() == {"tenant_usage": {}}
    for bad in (
        {"start": "x"},
        {"start": "2026-11-22T00:00:00", "end": "2026-11-21T00:00:00"},
        {**window, "marker": "x"},
    ):
        assert (await cloud.admin.get(f"{V}/os-simple-tenant-usage", params=bad)).status_code == 400


async def test_a_server_without_cells_has_no_topology(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    told = await cloud.demo.get(f"{V}/servers/{server['id']}/topology")
    assert told.json() == {"nodes": [], "pagesize_kb": None}
    assert (await cloud.demo.get(f"{V}/servers/{server['id']}/topology", headers=at("2.77"))).status_code == 404


async def test_consoles_are_honest(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    for name, kind in (
        ("os-getVNCConsole", "novnc"),
        ("os-getSPICEConsole", "spice-html5"),
        ("os-getSerialConsole", "serial"),
    ):
        old = await cloud.as_demo(version="compute 2.5")
        answer = await cloud.act(server["id"], {name: {"type": kind}}, old)
        assert (answer.status_code, answer.json()["badRequest"]["message"]) == (
            400,
            f"Unavailable console type {kind}.",
        )
        assert (await cloud.act(server["id"], {name: {"type": "odd"}}, old)).status_code == 400
    body = {"remote_console": {"protocol": "vnc", "type": "novnc"}}
    for server_id, status in ((server["id"], 400), (NOBODY, 404)):
        assert (await cloud.demo.post(f"{V}/servers/{server_id}/remote-consoles", json=body)).status_code == status
    mks: dict[str, Any] = {"remote_console": {"protocol": "mks", "type": "webmks"}}
    early = await cloud.demo.post(f"{V}/servers/{server['id']}/remote-consoles", json=mks, headers=at("2.7"))
    assert "not one of" in early.text
    assert (await cloud.admin.get(f"{V}/os-console-auth-tokens/x")).status_code == 404
    assert (await cloud.admin.get(f"{V}/os-console-auth-tokens/x", headers=at("2.30"))).status_code == 400


async def test_no_shares_and_no_assisted_snapshots(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    shares = f"{V}/servers/{server['id']}/shares"
    assert (await cloud.demo.get(shares)).json() == {"shares": []}
    assert (await cloud.demo.post(shares, json={"share": {"share_id": NOBODY}})).status_code == 501
    assert (await cloud.demo.get(f"{shares}/{NOBODY}")).status_code == 404
    assert (await cloud.demo.delete(f"{shares}/{NOBODY}")).status_code == 404
    assert (await cloud.demo.get(shares, headers=at("2.96"))).status_code == 404
    info = {"snapshot_id": "a", "type": "qcow2", "new_file": "b"}
    body = {"snapshot": {"volume_id": NOBODY, "create_info": info}}
    assert (await cloud.admin.post(f"{V}/os-assisted-volume-snapshots", json=body)).status_code == 400
    gone = await cloud.admin.delete(f"{V}/os-assisted-volume-snapshots/x", params={"delete_info": '{"volume_id": "v"}'})
    assert gone.status_code == 400
    assert (await cloud.admin.delete(f"{V}/os-assisted-volume-snapshots/x")).status_code == 400


async def test_a_service_is_deleted_only_from_an_empty_host(cloud: TestedCloud) -> None:
    server = await cloud.a_server(cloud.admin)
    here = server["OS-EXT-SRV-ATTR:host"]
    services = {
        one["host"]: one["id"]
        for one in (await cloud.admin.get(f"{V}/os-services?binary=nova-compute")).json()["services"]
    }
    busy = services.pop(here)
    [(there, empty)] = services.items()
    assert (await cloud.admin.delete(f"{V}/os-services/{busy}")).status_code == 409
    assert (await cloud.admin.delete(f"{V}/os-services/{empty}")).status_code == 204
    assert (await cloud.admin.delete(f"{V}/os-services/{empty}")).status_code == 404
    assert (await cloud.admin.delete(f"{V}/os-services/x")).status_code == 400
    assert (await cloud.admin.delete(f"{V}/os-services/99", headers=at("2.52"))).status_code == 404
    left = [one["host"] for one in (await cloud.admin.get(f"{V}/os-services?binary=nova-compute")).json()["services"]]
    assert left == [here]
    hypervisors = (await cloud.admin.get(f"{V}/os-hypervisors")).json()["hypervisors"]
    assert [one["hypervisor_hostname"] for one in hypervisors] == [here] != [there]


async def test_both_roots_and_versions_by_name(cloud: TestedCloud) -> None:
    listed = (await cloud.http.get("/compute/")).json()["versions"]
    assert [one["id"] for one in listed] == ["v2.0", "v2.1"]
    for one in listed:
        shown = (await cloud.http.get(one["links"][0]["href"])).json()["version"]
        assert (shown["id"], shown["links"][0]) == (one["id"], one["links"][0])
        assert (await cloud.demo.get(f"{V}/versions/{one['id']}")).json()["version"]["id"] == one["id"]
    assert (await cloud.demo.get(f"{V}/versions/v3")).status_code == 404
    old = await cloud.demo.get("/compute/v2/servers", headers=at("2.104"))
    assert (old.status_code, "openstack-api-version" in old.headers) == (200, False)


async def test_a_method_that_a_path_does_not_have_is_not_there(cloud: TestedCloud) -> None:
    """Nova's routes are pairs of path and method: it has no 405."""
    for method, path in (("PATCH", "servers"), ("GET", "os-certificates"), ("DELETE", "os-keypairs")):
        answer = await cloud.admin.request(method, f"{V}/{path}")
        assert (answer.status_code, answer.json()) == (
            404,
            {"itemNotFound": {"code": 404, "message": "The resource could not be found."}},
        )
        assert "allow" not in answer.headers
