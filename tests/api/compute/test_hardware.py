"""What flavors and images ask of machines reaches the hypervisor; what they may not ask is refused when the server is asked for."""

from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest

from minicloud.conductor.compute.specs import server_spec
from minicloud.core.compute import servers
from minicloud.drivers.fabric import Limit, Quality
from minicloud.drivers.fabric.fake import FakeFabric
from minicloud.drivers.hypervisor import Hardware, Machine, Throttle
from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio


async def a_flavor(cloud: TestedCloud, specs: dict[str, str], **fields: Any) -> str:
    wanted = {"name": "special", "ram": 256, "vcpus": 4, "disk": 2, **fields}
    made = (await cloud.admin.post("/compute/v2.1/flavors", json={"flavor": wanted})).json()["flavor"]
    told = await cloud.admin.post(f"/compute/v2.1/flavors/{made['id']}/os-extra_specs", json={"extra_specs": specs})
    assert told.status_code == 200, told.text
    return str(made["id"])


async def an_image(cloud: TestedCloud, **properties: str) -> str:
    fields = {"name": "special", "disk_format": "raw", "container_format": "bare", **properties}
    made = (await cloud.demo.post("/image/v2/images", json=fields)).json()
    headers = {"Content-Type": "application/octet-stream"}
    sent = await cloud.demo.put(f"/image/v2/images/{made['id']}/file", content=b"\0" * 512, headers=headers)
    assert sent.status_code == 204, sent.text
    return str(made["id"])


async def machine_of(cloud: TestedCloud, server_id: str) -> Machine:
    assert cloud.cloud.fake is not None
    rows = cloud.cloud.fake.log.rows("machines", "host-1")
    row = rows[server_id]
    return row.machine if hasattr(row, "machine") else msgspec.convert(row["machine"], Machine)


async def test_a_machine_is_made_as_flavor_and_image_say() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        specs = {
            "hw:cpu_max_sockets": "1",
            "hw:watchdog_action": "reset",
            "hw_rng:rate_bytes": "1024",
            "hw_rng:rate_period": "500",
            "quota:disk_total_iops_sec": "100",
            "quota:disk_read_bytes_sec": "1048576",
            "quota:cpu_shares": "2048",
        }
        flavor = await a_flavor(cloud, specs, swap=64, **{"OS-FLV-EXT-DATA:ephemeral": 1})
        image = await an_image(
            cloud,
            hw_vif_model="e1000",
            hw_disk_bus="scsi",
            hw_cdrom_bus="sata",
            hw_scsi_model="virtio-scsi",
            hw_machine_type="q35",
            hw_qemu_guest_agent="yes",
            hw_video_model="vga",
            hw_pointer_model="usbtablet",
        )
        server = await cloud.a_server(flavorRef=flavor, imageRef=image, config_drive=True)
        assert server["status"] == "ACTIVE", server
        machine = await machine_of(cloud, server["id"])
        assert machine.hardware == Hardware(
            machine_type="q35",
            sockets=1,
            cores=4,
            threads=1,
            rng_bytes=1024,
            rng_period_ms=500,
            watchdog="reset",
            guest_agent=True,
            video="vga",
            tablet=True,
            cpu_shares=2048,
        )
        assert [(disk.id, disk.bus, disk.device) for disk in machine.disks] == [
            ("root", "scsi", "disk"),
            ("ephemeral0", "scsi", "disk"),
            ("swap", "scsi", "disk"),
            ("config", "ide", "cdrom"),
        ]
        assert machine.disks[0].throttle == Throttle(total_iops=100, read_bytes=1 << 20)
        assert [nic.model for nic in machine.nics] == ["e1000"]


@pytest.mark.parametrize(
    ("specs", "properties", "why"),
    [
        ({"hw:cpu_max_sockets": "2"}, {"hw_cpu_sockets": "4"}, "exceeds the limits of the flavor or image"),
        ({}, {"hw_disk_bus": "floppy"}, "Field value floppy is invalid"),
        ({"hw:watchdog_action": "reset"}, {"hw_watchdog_action": "bark"}, "Field value bark is invalid"),
    ],
)
async def test_what_makes_no_sense_together_is_refused(
    specs: dict[str, str], properties: dict[str, str], why: str
) -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        flavor, image = await a_flavor(cloud, specs), await an_image(cloud, **properties)
        asked = await cloud.ask_server(flavorRef=flavor, imageRef=image)
        assert asked.status_code == 400
        assert why in asked.json()["badRequest"]["message"]
        good = await cloud.a_server(flavorRef=flavor)
        rebuilt = await cloud.act(good["id"], {"rebuild": {"imageRef": image}})
        assert rebuilt.status_code == 400
        assert why in rebuilt.json()["badRequest"]["message"]


async def test_hardware_that_no_host_has_fails_the_build_and_says_so() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server(imageRef=await an_image(cloud, hw_disk_bus="fdc"))
        assert server["status"] == "ERROR"
        assert server["fault"]["message"] == "Requested hardware 'fdc' is not supported by the 'qemu' virt driver"


def limits_of(cloud: TestedCloud, server_id: str) -> Quality:
    """What the only card of a server is held to, on the host where it is wired."""
    fabrics = [agent.fabric for agent in cloud.cloud.agents.values()]
    ports = [port for fabric in fabrics if isinstance(fabric, FakeFabric) for port in fabric.state().ports.values()]
    [quality] = [port.quality for port in ports if port.machine_id == server_id]
    return quality


async def test_cards_are_held_to_what_the_flavor_lets_through_and_a_resize_changes_that() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        specs = {
            "quota:vif_inbound_average": "1000",
            "quota:vif_inbound_peak": "2000",
            "quota:vif_inbound_burst": "500",
            "quota:vif_outbound_average": "250",
        }
        server = await cloud.a_server(flavorRef=await a_flavor(cloud, specs, disk=1))
        slow = Quality(ingress=Limit(kbps=8000, burst_kb=4096, peak_kbps=16000), egress=Limit(kbps=2000))
        assert limits_of(cloud, server["id"]) == slow
        body = {"interfaceAttachment": {}}
        added = await cloud.demo.post(f"/compute/v2.1/servers/{server['id']}/os-interface", json=body)
        assert added.status_code == 200, added.text
        path = f"/compute/v2.1/servers/{server['id']}/os-interface/{added.json()['interfaceAttachment']['port_id']}"
        told = await cloud.read(lambda tx: server_spec(tx, servers.living(tx, server["id"])))
        assert [msgspec.convert(nic.port.quality, Quality, from_attributes=True) for nic in told.nics] == [slow, slow]
        assert (await cloud.demo.delete(path)).status_code == 202
        await cloud.settled()
        other = await a_flavor(cloud, {"quota:vif_outbound_average": "125"}, name="other")
        assert (await cloud.act(server["id"], {"resize": {"flavorRef": other}})).status_code == 202
        await cloud.settled()
        assert limits_of(cloud, server["id"]) == Quality(egress=Limit(kbps=1000))
        assert (await cloud.act(server["id"], {"revertResize": None})).status_code == 202
        await cloud.settled()
        assert limits_of(cloud, server["id"]) == slow


async def test_flavor_and_policy_both_hold_a_card() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        flavor = await a_flavor(cloud, {"quota:vif_inbound_average": "1000", "quota:vif_outbound_average": "1000"})
        server = await cloud.a_server(flavorRef=flavor)
        made = await cloud.admin.post("/network/v2.0/qos/policies", json={"policy": {"name": "p", "shared": True}})
        policy = made.json()["policy"]["id"]
        for way, kbps in (("ingress", 3000), ("egress", 9000)):
            rule = {"bandwidth_limit_rule": {"max_kbps": kbps, "max_burst_kbps": 100, "direction": way}}
            path = f"/network/v2.0/qos/policies/{policy}/bandwidth_limit_rules"
            assert (await cloud.admin.post(path, json=rule)).status_code == 201
        ports = await cloud.demo.get("/network/v2.0/ports", params={"device_id": server["id"]})
        path = f"/network/v2.0/ports/{ports.json()['ports'][0]['id']}"
        assert (await cloud.admin.put(path, json={"port": {"qos_policy_id": policy}})).status_code == 200
        await cloud.reconciled()
        assert limits_of(cloud, server["id"]) == Quality(
            ingress=Limit(kbps=3000, burst_kb=100, peak_kbps=8000), egress=Limit(kbps=8000, peak_kbps=9000)
        )
