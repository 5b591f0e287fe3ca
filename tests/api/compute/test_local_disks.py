"""Disks of a server on its host: one of each kind as its flavor says, or as many and as large as was asked for."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.api.compute.test_hardware import a_flavor
from tests.api.compute.test_resizes import act
from tests.support.clouds import TestedCloud, a_cloud
from tests.support.volume import message

pytestmark = pytest.mark.anyio
BLANK = {"source_type": "blank", "destination_type": "local"}
SWAP = {**BLANK, "guest_format": "swap"}


@pytest.fixture
async def cloud() -> AsyncIterator[TestedCloud]:
    async with AsyncExitStack() as stack:
        yield await a_cloud(stack)


async def roomy(cloud: TestedCloud, **more: Any) -> str:
    """A flavor with 5 GiB of ephemeral disk and 64 MiB of swap."""
    return await a_flavor(cloud, {}, **{"swap": 64, "OS-FLV-EXT-DATA:ephemeral": 5, **more})


async def asked(cloud: TestedCloud, flavor: str, *devices: dict[str, Any], **more: Any) -> Any:
    root = {"source_type": "image", "destination_type": "local", "uuid": await cloud.image_id(), "boot_index": 0}
    return await cloud.ask_server(flavorRef=flavor, block_device_mapping_v2=[root, *devices], **more)


def files(cloud: TestedCloud, server_id: str, host: str = "host-1") -> dict[str, int]:
    """The server's disks on its host, with their sizes in MiB."""
    rows = cloud.hypervisor()._world.log.rows("disks", host)
    found = {key.removeprefix(f"{server_id}/"): row for key, row in rows.items() if key.startswith(f"{server_id}/")}
    return {name: row.virtual_size >> 20 for name, row in found.items() if name != "disk.config"}


def guest_sees(cloud: TestedCloud, server_id: str) -> list[tuple[str, str]]:
    machine = cloud.hypervisor()._world.log.get("machines", "host-1", server_id).machine
    return [(disk.id, disk.bus) for disk in machine.disks]


async def test_a_flavor_gives_one_of_each(cloud: TestedCloud) -> None:
    server = await cloud.a_server(flavorRef=await roomy(cloud))
    assert files(cloud, server["id"]) == {"disk": 2048, "disk.eph0": 5120, "disk.swap": 64}
    assert [name for name, _ in guest_sees(cloud, server["id"])] == ["root", "ephemeral0", "swap"]


async def test_they_are_divided_as_asked(cloud: TestedCloud) -> None:
    devices = (
        {**BLANK, "volume_size": 2, "guest_format": "ext3", "disk_bus": "scsi"},
        {**SWAP, "volume_size": 32},
    )
    made = await asked(cloud, await roomy(cloud), *devices)
    assert made.status_code == 202, made.text
    server_id = made.json()["server"]["id"]
    await cloud.settled()
    assert (await cloud.server(server_id))["status"] == "ACTIVE"
    assert files(cloud, server_id) == {"disk": 2048, "disk.eph0": 2048, "disk.swap": 32}
    assert guest_sees(cloud, server_id) == [("root", "virtio"), ("ephemeral0", "scsi"), ("swap", "virtio")]


async def test_several_of_them_and_a_volume_behind(cloud: TestedCloud) -> None:
    flavor = await roomy(cloud, swap=0)
    volume = {"source_type": "blank", "destination_type": "volume", "volume_size": 1}
    made = await asked(cloud, flavor, volume, {**BLANK, "volume_size": 2}, {**BLANK, "volume_size": 3})
    assert made.status_code == 202, made.text
    server_id = made.json()["server"]["id"]
    await cloud.settled()
    assert files(cloud, server_id) == {"disk": 2048, "disk.eph0": 2048, "disk.eph1": 3072}
    names = [name for name, _ in guest_sees(cloud, server_id)]
    assert names[:3] == ["root", "ephemeral0", "ephemeral1"]
    answer = await cloud.demo.get(f"/compute/v2.1/servers/{server_id}/os-volume_attachments")
    assert [one["device"] for one in answer.json()["volumeAttachments"]] == ["/dev/vdd"]


async def test_a_larger_flavor_makes_them_grow(cloud: TestedCloud) -> None:
    server = await cloud.a_server(flavorRef=await roomy(cloud))
    larger = await a_flavor(cloud, {}, name="larger", disk=3, swap=64, **{"OS-FLV-EXT-DATA:ephemeral": 7})
    await act(cloud, server, {"resize": {"flavorRef": larger}})
    assert files(cloud, server["id"]) == {"disk": 3072, "disk.eph0": 7168, "disk.swap": 64}
    await act(cloud, server, {"revertResize": None})
    assert files(cloud, server["id"]) == {"disk": 2048, "disk.eph0": 5120, "disk.swap": 64}


async def test_a_flavor_with_another_swap_area_makes_a_new_one_on_the_new_host() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2)
        made = await asked(cloud, await roomy(cloud), {**SWAP, "volume_size": 32})
        await cloud.settled()
        server = await cloud.server(made.json()["server"]["id"], cloud.admin)
        here = server["OS-EXT-SRV-ATTR:hypervisor_hostname"]
        other = {"host-1": "host-2", "host-2": "host-1"}[here]
        assert files(cloud, server["id"], here)["disk.swap"] == 32
        roomier = await a_flavor(cloud, {}, name="roomier", disk=2, swap=128, **{"OS-FLV-EXT-DATA:ephemeral": 5})
        await act(cloud, server, {"resize": {"flavorRef": roomier}})
        assert files(cloud, server["id"], other) == {"disk": 2048, "disk.eph0": 5120, "disk.swap": 128}
        await act(cloud, server, {"revertResize": None})
        assert (await cloud.server(server["id"]))["status"] == "ACTIVE"
        assert files(cloud, server["id"], here)["disk.swap"] == 32


EPHEMERAL = (
    "Ephemeral disks requested are larger than the instance type allows. If no size is given in one block device "
    "mapping, flavor ephemeral size will be used."
)
INVALID = "Block Device Mapping is Invalid: "


@pytest.mark.parametrize(
    ("devices", "said"),
    [
        ([{**BLANK, "volume_size": 6}], EPHEMERAL),
        ([BLANK, {**BLANK, "volume_size": 1}], EPHEMERAL),
        ([{**SWAP, "volume_size": 65}], "Swap drive requested is larger than instance type allows."),
        ([SWAP, SWAP], f"{INVALID}More than one swap drive requested."),
        # The root, two ephemeral disks, and the swap area that the flavor gives anyway.
        (
            [{**BLANK, "volume_size": 1}, {**BLANK, "volume_size": 1}],
            f"{INVALID}You specified more local devices than the limit allows",
        ),
        ([{**BLANK, "uuid": "x"}], f"{INVALID}Invalid device UUID."),
    ],
)
async def test_what_a_flavor_does_not_allow(cloud: TestedCloud, devices: list[dict[str, Any]], said: str) -> None:
    refused = await asked(cloud, await roomy(cloud), *devices)
    assert (refused.status_code, message(refused)) == (400, said)


async def test_who_names_devices_names_the_root(cloud: TestedCloud) -> None:
    refused = await cloud.ask_server(flavorRef=await roomy(cloud), block_device_mapping_v2=[SWAP])
    order = "Boot sequence for the instance and image/block device mapping combination is not valid."
    assert (refused.status_code, message(refused)) == (400, INVALID + order)
    # The older form had no word for it.
    old = [{"virtual_name": "ephemeral0", "device_name": "vdb", "volume_size": 2}]
    server = await cloud.a_server(flavorRef=await roomy(cloud, name="old", id="old"), block_device_mapping=old)
    assert files(cloud, server["id"]) == {"disk": 2048, "disk.eph0": 2048, "disk.swap": 64}


async def test_a_file_system_that_nobody_makes(cloud: TestedCloud) -> None:
    made = await asked(cloud, await roomy(cloud), {**BLANK, "volume_size": 2, "guest_format": "ntfs"})
    assert made.status_code == 202, made.text
    await cloud.settled()
    server = await cloud.server(made.json()["server"]["id"])
    assert (server["status"], "ntfs format is not supported" in server["fault"]["message"]) == ("ERROR", True)
