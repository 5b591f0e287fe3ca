"""What flavors and images ask of machines reaches the hypervisor; what they may not ask is refused when the server is asked for."""

from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest

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
