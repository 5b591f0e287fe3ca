"""Disks of a server on its host: one of each kind as its flavor says, or as many and as large as was asked for."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from minicloud.agent.places import filled
from minicloud.api.metadata import service as metadata_service
from minicloud.api.metadata.service import Asked
from minicloud.conductor.compute import specs
from minicloud.core.compute import servers
from tests.api.compute.test_hardware import a_flavor
from tests.api.compute.test_resizes import act
from tests.support.clouds import TestedCloud, a_cloud
from tests.support.volume import a_volume, message, volume_client

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


async def test_swap_areas_follow_the_flavor_on_the_same_host_too(cloud: TestedCloud) -> None:
    server = await cloud.a_server(flavorRef=await roomy(cloud))
    for swap in (128, 32):
        other = await a_flavor(cloud, {}, name=f"swap-{swap}", disk=2, swap=swap, **{"OS-FLV-EXT-DATA:ephemeral": 5})
        await act(cloud, server, {"resize": {"flavorRef": other}})
        assert files(cloud, server["id"])["disk.swap"] == swap
        await act(cloud, server, {"revertResize": None})
        assert files(cloud, server["id"])["disk.swap"] == 64
    without = await a_flavor(cloud, {}, name="without", disk=2, swap=0, **{"OS-FLV-EXT-DATA:ephemeral": 5})
    await act(cloud, server, {"resize": {"flavorRef": without}})
    assert [name for name, _ in guest_sees(cloud, server["id"])] == ["root", "ephemeral0"]
    await act(cloud, server, {"revertResize": None})
    assert [name for name, _ in guest_sees(cloud, server["id"])] == ["root", "ephemeral0", "swap"]


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


async def told_devices(cloud: TestedCloud, server_id: str) -> list[list[dict[str, Any]]]:
    """The devices with a tag, as the config drive tells them that the host writes, and as the metadata service does."""
    server, spec = await cloud.read(lambda tx: (servers.living(tx, server_id), specs.spec_of(tx, server_id)))
    host = cloud.hypervisor()
    disks = host._world.log.get("machines", "host-1", server.id).machine.disks
    assert spec.config_drive is not None
    places = host.places(spec.hardware, disks, [nic.port.id for nic in spec.nics])
    drive = filled(spec.config_drive, places)["openstack/latest/meta_data.json"]
    port_id = spec.nics[0].port.id
    asked_for = Asked(path="/openstack/latest/meta_data.json", method="GET", address="", port_id=port_id)
    service = (await metadata_service.answer(cloud.cloud.world, asked_for)).body
    return [json.loads(text)["devices"] for text in (drive, service)]


async def test_disks_with_a_tag_are_told_with_their_places_whether_or_not_they_are_volumes(cloud: TestedCloud) -> None:
    network = (await cloud.demo.get("/network/v2.0/networks?name=private")).json()["networks"][0]["id"]
    root = {"source_type": "image", "destination_type": "local", "uuid": await cloud.image_id(), "boot_index": 0}
    devices = [{**root, "tag": "system"}, {**BLANK, "volume_size": 2}, {**SWAP, "tag": "paging", "disk_bus": "scsi"}]
    more = {"networks": [{"uuid": network, "tag": "front"}], "config_drive": True}
    made = await cloud.ask_server(flavorRef=await roomy(cloud), block_device_mapping_v2=devices, **more)
    assert made.status_code == 202, made.text
    await cloud.settled()
    drive, service = await told_devices(cloud, made.json()["server"]["id"])
    assert drive == service
    assert [(one["type"], one["bus"], one["tags"]) for one in drive] == [
        ("disk", "pci", ["system"]),
        ("disk", "scsi", ["paging"]),
        ("nic", "pci", ["front"]),
    ]
    assert [one["serial"] for one in drive[:2]] == [None, None]
    assert drive[1]["address"] == "none"
    assert len({one["address"] for one in drive}) == 3


@pytest.mark.parametrize(
    ("bus", "root", "later"),
    [
        (None, "/dev/vda", "/dev/vdc"),
        ("scsi", "/dev/sda", "/dev/sdc"),
        ("sata", "/dev/sda", "/dev/sdc"),
        ("ide", "/dev/hda", "/dev/hdc"),
    ],
)
async def test_disks_are_called_after_their_bus(cloud: TestedCloud, bus: str | None, root: str, later: str) -> None:
    image_id = await cloud.image_id()
    if bus is not None:
        patch = [{"op": "add", "path": "/hw_disk_bus", "value": bus}]
        headers = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
        changed = await cloud.admin.patch(f"/image/v2/images/{image_id}", content=json.dumps(patch), headers=headers)
        assert changed.status_code == 200, changed.text
    server = await cloud.a_server(flavorRef=await a_flavor(cloud, {}, disk=2, swap=64))
    volumes = await volume_client(cloud)
    volume = await a_volume(cloud, volumes)
    path = f"/compute/v2.1/servers/{server['id']}/os-volume_attachments"
    old = {"OpenStack-API-Version": "compute 2.100"}
    attached = await cloud.demo.post(path, json={"volumeAttachment": {"volumeId": volume["id"]}}, headers=old)
    assert attached.json()["volumeAttachment"]["device"] == later
    shown = await cloud.server(server["id"], cloud.admin)
    assert shown["OS-EXT-SRV-ATTR:root_device_name"] == root
    found = await cloud.admin.get("/compute/v2.1/servers", params={"all_tenants": "1", "root_device_name": root[5:7]})
    assert [one["id"] for one in found.json()["servers"]] == [server["id"]]


async def test_disks_on_several_buses_are_counted_by_themselves(cloud: TestedCloud) -> None:
    volumes = await volume_client(cloud)
    ids = [(await a_volume(cloud, volumes))["id"] for _ in range(3)]
    mapped = [
        {"source_type": "volume", "destination_type": "volume", "uuid": one, "boot_index": -1, "disk_bus": bus}
        for one, bus in zip(ids, ("scsi", "virtio", "scsi"), strict=True)
    ]
    made = await asked(cloud, await a_flavor(cloud, {}, disk=2), *mapped)
    assert made.status_code == 202, made.text
    await cloud.settled()
    answer = await cloud.demo.get(f"/compute/v2.1/servers/{made.json()['server']['id']}/os-volume_attachments")
    assert sorted(one["device"] for one in answer.json()["volumeAttachments"]) == ["/dev/sda", "/dev/sdb", "/dev/vdb"]
