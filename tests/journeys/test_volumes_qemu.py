"""Volumes under real guests: attached hot by their serial numbers, frozen while written to, and the five ways to deploy a server,
each of which reads what another server wrote."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openstack.connection import Connection

from minicloud.guest import GuestImage
from tests.support.guestshells import Shell
from tests.support.journeys import Journey, a_journey, a_key, until

pytestmark = [
    pytest.mark.journey,
    pytest.mark.qemu,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
READY = "minilinux: ready in"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, image: GuestImage, cache: Path) -> Iterator[Journey]:
    # The second backend is so small that volumes come to it only where that is asked for.
    settings: dict[str, object] = {"driver": "qemu", "reconcile_interval": 5, "volume_backends": "second:1"}
    with a_journey(tmp_path_factory.mktemp("volumes"), cache=cache, **settings) as journey:
        journey.up()
        [host] = journey.facts()["hosts"]
        if host["fabric"] == "user":
            pytest.skip("this machine allows no networks but QEMU's own: guests cannot be told what to write")
        journey.does("openstack", "keypair", "create", "--public-key", f"{a_key(journey.home)}.pub", "k")
        yield journey
        for shell in SHELLS.values():
            shell.close()


SHELLS: dict[str, Shell] = {}
"""One in each guest, that stays open: the guest pays for a new connection with a second."""


def in_guest(cloud: Journey, name: str, command: str) -> str:
    """What a command in the guest prints; not what it complains of."""
    shell = SHELLS.get(name) or SHELLS.setdefault(name, Shell(cloud, name, cloud.home / "key"))
    return shell.does(f"exec 2>/dev/null; {command}").strip()


def boot(cloud: Journey, name: str, **wanted: Any) -> Any:
    """A server that is ready for commands."""
    with cloud.connect() as admin:
        flavor, network = admin.compute.find_flavor("m1.nano"), admin.network.find_network("private")
        made = admin.compute.create_server(
            name=name, flavor_id=flavor.id, networks=[{"uuid": network.id}], key_name="k", **wanted
        )
        made = admin.compute.wait_for_server(made, interval=0.1, wait=180)
    cloud.wait_for_console(name, READY)
    return made


def gone(cloud: Journey, server: Any) -> None:
    SHELLS.pop(server.name).close()
    with cloud.connect() as admin:
        admin.compute.delete_server(server)
        admin.compute.wait_for_delete(server, interval=0.1, wait=60)


def volume_is(admin: Connection, volume: Any, status: str) -> Any:
    now = admin.block_storage.get_volume(volume.id)
    return admin.block_storage.wait_for_status(now, status, interval=0.1, wait=60)


def by_serial(volume: Any) -> str:
    """The disk in the guest whose serial number is the volume's id, once the guest has seen it."""
    found = f"until grep -l {volume.id[:20]} /sys/block/*/serial; do sleep 0.1; done"
    return f"/dev/$(basename $(dirname $({found})))"


def test_five_ways_to_deploy_a_server(cloud: Journey) -> None:
    with cloud.connect() as admin:
        image = admin.image.find_image("minilinux")
        data = volume_is(admin, admin.block_storage.create_volume(size=1, name="data"), "available")

        # From an image; a volume comes to it while it runs, and is found by its serial number.
        first = boot(cloud, "first", image_id=image.id)
        admin.compute.create_volume_attachment(first, volume_id=data.id)
        volume_is(admin, data, "in-use")
        in_guest(cloud, "first", f"echo written by the first | dd of={by_serial(data)} conv=fsync")
        in_guest(cloud, "first", "echo on the first disk > /root/mark; sync")

        # Frozen while the guest has it, then written to again.
        frozen = admin.block_storage.create_snapshot(volume_id=data.id, name="frozen", is_forced=True)
        admin.block_storage.wait_for_status(frozen, "available", interval=0.1, wait=120)
        in_guest(cloud, "first", f"echo written later | dd of={by_serial(data)} conv=fsync")
        admin.compute.delete_volume_attachment(first, data)
        volume_is(admin, data, "available")
        assert in_guest(cloud, "first", "ls /sys/block | grep -c vd") == "1"

        # From a snapshot of that server.
        picture = admin.compute.create_server_image(first, "picture", wait=True, timeout=120)
        gone(cloud, first)
        second = boot(cloud, "second", image_id=picture.id)
        assert in_guest(cloud, "second", "cat /root/mark") == "on the first disk"
        thawed = admin.block_storage.create_volume(size=1, name="thawed", snapshot_id=frozen.id)
        volume_is(admin, thawed, "available")
        admin.compute.create_volume_attachment(second, volume_id=thawed.id)
        volume_is(admin, thawed, "in-use")
        assert in_guest(cloud, "second", f"head -n 1 {by_serial(thawed)}") == "written by the first"
        gone(cloud, second)

        # On a new volume made of an image, with the other one beside it from the start.
        root = {
            "uuid": image.id,
            "source_type": "image",
            "destination_type": "volume",
            "volume_size": 1,
            "boot_index": 0,
        }
        beside = {"uuid": data.id, "source_type": "volume", "destination_type": "volume", "boot_index": -1}
        third = boot(cloud, "third", block_device_mapping=[root, beside])
        assert in_guest(cloud, "third", "head -n 1 /dev/vdb") == "written later"
        in_guest(cloud, "third", "echo on a volume > /root/mark; sync")
        root_id = next(v.id for v in admin.compute.get_server(third).attached_volumes if v.id != data.id)
        gone(cloud, third)
        volume = volume_is(admin, admin.block_storage.get_volume(root_id), "available")

        # On that very volume, and on a snapshot of it.
        existing = {"uuid": volume.id, "source_type": "volume", "destination_type": "volume", "boot_index": 0}
        fourth = boot(cloud, "fourth", block_device_mapping=[existing])
        assert in_guest(cloud, "fourth", "cat /root/mark") == "on a volume"
        gone(cloud, fourth)
        kept = admin.block_storage.create_snapshot(volume_id=volume.id, name="kept")
        admin.block_storage.wait_for_status(kept, "available", interval=0.1, wait=60)
        snapshot = {
            "uuid": kept.id,
            "source_type": "snapshot",
            "destination_type": "volume",
            "boot_index": 0,
            "delete_on_termination": True,
        }
        fifth = boot(cloud, "fifth", block_device_mapping=[snapshot])
        assert in_guest(cloud, "fifth", "cat /root/mark") == "on a volume"
        gone(cloud, fifth)

        # Nothing is left but what was kept.
        assert sorted(v.name for v in admin.block_storage.volumes()) == ["", "data", "thawed"]
        for one in (kept, frozen):
            admin.block_storage.delete_snapshot(one)
            admin.block_storage.wait_for_delete(one, interval=0.1, wait=60)
        for one in admin.block_storage.volumes():
            admin.block_storage.delete_volume(one)
            admin.block_storage.wait_for_delete(one, interval=0.1, wait=60)
    assert [path for path in (cloud.data / "storage").rglob("*") if path.is_file()] == []
    assert cloud.guests() == {}


def attached(admin: Connection, server: Any, volume: Any) -> None:
    admin.compute.create_volume_attachment(server, volume_id=volume.id)
    volume_is(admin, volume, "in-use")


def a_new_volume(admin: Connection, name: str, **wanted: Any) -> Any:
    return volume_is(admin, admin.block_storage.create_volume(size=1, name=name, **wanted), "available")


def clear(admin: Connection) -> None:
    """Nothing is left of what block storage was asked for."""
    for one in admin.block_storage.snapshots():
        admin.block_storage.delete_snapshot(one)
        admin.block_storage.wait_for_delete(one, interval=0.1, wait=60)
    for one in admin.block_storage.volumes():
        admin.block_storage.delete_volume(one)
        admin.block_storage.wait_for_delete(one, interval=0.1, wait=60)


def moves_under_its_guest(cloud: Journey, admin: Connection, server: Any) -> None:
    """A guest numbers the sectors of a volume while that goes to another backend and back: none is missing in the file at the end."""
    moving = a_new_volume(admin, "moving")
    home = moving.host
    attached(admin, server, moving)
    count = (
        "n=0; while [ ! -e /tmp/enough ]; do n=$((n+1)); echo $n | dd of=$d seek=$n conv=fsync; echo $n >/tmp/n; done"
    )
    in_guest(cloud, server.name, f"d={by_serial(moving)}; ({count}; touch /tmp/done) >/dev/null 2>&1 </dev/null &")
    for host, folder in (("control@second#second", "backends/second"), (home, "storage")):
        admin.block_storage.migrate_volume(moving, host=host)
        until(lambda: admin.block_storage.get_volume(moving.id).migration_status == "success", "it has moved")
        assert admin.block_storage.get_volume(moving.id).host == host
        [file] = [path for path in cloud.data.rglob(f"{moving.id}*") if "volumes" in path.parts]
        assert file.parent == cloud.data / folder / "volumes"
    last = int(in_guest(cloud, server.name, "touch /tmp/enough; until [ -e /tmp/done ]; do sleep 1; done; cat /tmp/n"))
    admin.compute.delete_volume_attachment(server, moving)
    volume_is(admin, moving, "available")
    raw = cloud.home / "moved.raw"
    cloud.does("qemu-img", "convert", "-O", "raw", file, raw)
    with raw.open("rb") as opened:
        sectors = [opened.read(512) for _ in range(last + 1)]
    raw.unlink()
    assert [int(sector.rstrip(b"\0") or 0) for sector in sectors] == list(range(last + 1))
    assert last > 3
    assert [action.action for action in admin.compute.server_actions(server)].count("swap_volume") == 2


def test_volumes_of_guests_that_run(cloud: Journey) -> None:
    with cloud.connect() as admin:
        image = admin.image.find_image("minilinux")
        one, two = [boot(cloud, name, image_id=image.id) for name in ("one", "two")]

        # A volume that comes to be shared: what one guest writes, the other one reads.
        cloud.does("openstack", "volume", "type", "create", "shared", "--multiattach")
        both = a_new_volume(admin, "both")
        admin.block_storage.retype_volume(both, "shared", "never")
        assert volume_is(admin, both, "available").is_multiattach
        for server in (one, two):
            attached(admin, server, both)
        until(lambda: len(admin.block_storage.get_volume(both.id).attachments) == 2, "both have it")
        in_guest(cloud, "one", f"echo from one to two | dd of={by_serial(both)} conv=fsync")
        assert in_guest(cloud, "two", f"head -n 1 {by_serial(both)}") == "from one to two"
        in_guest(cloud, "two", f"echo and back | dd of={by_serial(both)} seek=8 conv=fsync")
        assert in_guest(cloud, "one", f"dd if={by_serial(both)} skip=8 count=1 | head -n 1") == "and back"

        # One that was set read-only is so in the guest.
        fixed = a_new_volume(admin, "fixed")
        admin.block_storage.set_volume_readonly(fixed, True)
        attached(admin, one, fixed)
        assert in_guest(cloud, "one", f"cat /sys/block/$(basename {by_serial(fixed)})/ro") == "1"

        # It grows while the guest has it, and is held to other limits.
        cloud.does("openstack", "volume", "type", "create", "slow")
        cloud.does("openstack", "volume", "qos", "create", "--property", "total_bytes_sec=1048576", "limits")
        cloud.does("openstack", "volume", "qos", "associate", "limits", "slow")
        grown = a_new_volume(admin, "grown", volume_type="slow")
        attached(admin, one, grown)
        before = in_guest(cloud, "one", f"cat /sys/block/$(basename {by_serial(grown)})/size")
        cloud.does("openstack", "--os-volume-api-version", "3.42", "volume", "set", "--size", "2", grown.id)
        volume_is(admin, grown, "in-use")
        after = in_guest(cloud, "one", f"cat /sys/block/$(basename {by_serial(grown)})/size")
        assert (int(before), int(after)) == (1 << 21, 2 << 21)
        write = (
            f"t=$(date +%s); dd if=/dev/zero of={by_serial(grown)} bs=1M count=8 conv=fsync; echo $(($(date +%s) - t))"
        )
        slowly = int(in_guest(cloud, "one", write).splitlines()[-1])
        cloud.does("openstack", "volume", "qos", "set", "--property", "total_bytes_sec=1073741824", "limits")
        quickly = int(in_guest(cloud, "one", write).splitlines()[-1])
        assert slowly >= 6 > quickly, (slowly, quickly)

        moves_under_its_guest(cloud, admin, one)

        # One comes to a guest that stands paused, who cannot let go of it until it runs.
        late = a_new_volume(admin, "late")
        admin.compute.pause_server(one)
        admin.compute.wait_for_server(one, status="PAUSED", interval=0.1, wait=60)
        attached(admin, one, late)
        admin.compute.delete_volume_attachment(one, late)
        assert volume_is(admin, late, "in-use")
        assert "paused" in cloud.does("minicloud", "explain", "one")
        admin.compute.unpause_server(one)
        admin.compute.wait_for_server(one, interval=0.1, wait=60)
        assert in_guest(cloud, "one", f"head -c 3 {by_serial(late)} | wc -c") == "3"
        admin.compute.delete_volume_attachment(one, late)
        volume_is(admin, late, "available")

        for server in (one, two):
            gone(cloud, server)
        clear(admin)


def test_a_consistency_group_is_kept_as_it_is_at_one_moment(cloud: Journey) -> None:
    """A guest counts on two disks in turn: in what is kept, the second one never lags, nor is ahead, by more than one."""
    with cloud.connect() as admin:
        server = boot(cloud, "counter", image_id=admin.image.find_image("minilinux").id)
        cloud.does("openstack", "consistency", "group", "create", "--volume-type", "__DEFAULT__", "cg")
        members = [a_new_volume(admin, name) for name in ("a", "b")]
        for volume in members:
            attached(admin, server, volume)
        cloud.does("openstack", "consistency", "group", "add", "volume", "cg", "a", "b")
        disks = " ".join(by_serial(volume) for volume in members)
        count = f"n=0; while true; do n=$((n+1)); for d in {disks}; do echo $n | dd of=$d conv=fsync; done; done"
        in_guest(cloud, "counter", f"({count}) >/dev/null 2>&1 </dev/null &")
        counted = f"dd if={by_serial(members[1])} bs=16 count=1 2>/dev/null | tr -d '\\0'"
        until(lambda: in_guest(cloud, "counter", counted), "the guest counts")
        cloud.does("openstack", "consistency", "group", "snapshot", "create", "--consistency-group", "cg", "kept")
        for one in admin.block_storage.snapshots():
            admin.block_storage.wait_for_status(one, "available", interval=0.1, wait=120)
        cloud.does("openstack", "consistency", "group", "create", "--snapshot", "kept", "copy")
        copies = [one for one in admin.block_storage.volumes() if one.id not in [volume.id for volume in members]]
        by_source = {admin.block_storage.get_snapshot(one.snapshot_id).volume_id: one for one in copies}
        counts = []
        for volume in members:
            copy = volume_is(admin, by_source[volume.id], "available")
            attached(admin, server, copy)
            counts.append(int(in_guest(cloud, "counter", f"head -n 1 {by_serial(copy)}")))
        assert counts[0] - counts[1] in (0, 1), counts
        assert counts[1] > 0
        gone(cloud, server)
        cloud.does("openstack", "consistency", "group", "snapshot", "delete", "kept")
        until(lambda: not admin.block_storage.get("/cgsnapshots").json()["cgsnapshots"], "its snapshot is gone")
        for name in ("cg", "copy"):
            groups = {one["Name"]: one["ID"] for one in cloud.tells("consistency", "group", "list")}
            admin.block_storage.post(
                f"/consistencygroups/{groups[name]}/delete", json={"consistencygroup": {"force": True}}
            )
        for one in admin.block_storage.volumes():
            admin.block_storage.wait_for_delete(one, interval=0.1, wait=60)
        clear(admin)


def test_files_that_an_administrator_lets_go_of_and_takes_up_again(cloud: Journey) -> None:
    with cloud.connect() as admin:
        cloud.does("openstack", "volume", "type", "create", "open", "--multiattach")
        server = boot(cloud, "writer", image_id=admin.image.find_image("minilinux").id)
        for kind, suffix in (("__DEFAULT__", "qcow2"), ("open", "raw")):
            volume = a_new_volume(admin, "mine", volume_type=kind)
            attached(admin, server, volume)
            in_guest(cloud, "writer", f"echo kept in {suffix} | dd of={by_serial(volume)} conv=fsync")
            admin.compute.delete_volume_attachment(server, volume)
            volume = volume_is(admin, volume, "available")
            host = volume.host
            admin.block_storage.unmanage_volume(volume)
            admin.block_storage.wait_for_delete(volume, interval=0.1, wait=60)
            [file] = (cloud.data / "storage").rglob(f"{volume.id}.*")
            assert file.suffix == f".{suffix}"
            listed = admin.block_storage.get(f"/manageable_volumes?host={host}", microversion="3.8").json()[
                "manageable-volumes"
            ]
            assert [(one["reference"], one["size"]) for one in listed] == [({"source-name": f"volume-{volume.id}"}, 1)]
            named = (
                "--remote-source",
                f"source-name=volume-{volume.id}",
                "--host",
                host,
                "--type",
                kind,
                "--non-bootable",
            )
            cloud.does("openstack", "volume", "create", "again", *named)
            again = volume_is(admin, admin.block_storage.find_volume("again"), "available")
            attached(admin, server, again)
            assert in_guest(cloud, "writer", f"head -n 1 {by_serial(again)}") == f"kept in {suffix}"
            admin.compute.delete_volume_attachment(server, again)
            volume_is(admin, again, "available")
            clear(admin)
        gone(cloud, server)
    files = (cloud.data / "storage").rglob
    # Files that were taken up are nobody's now: the reconciler of backends takes them away.
    until(lambda: not [path for path in files("*") if path.is_file()], "nothing is left on the backend")
