"""What may be done to a real guest, seen from inside: it stands still and goes on, lies in a file, is rescued, backed up, evacuated."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openstack.connection import Connection

from minicloud.guest import GuestImage
from tests.journeys.test_first_server_qemu import READY, create, delete, ssh, wait_for
from tests.support.journeys import PATIENCE_S, Journey, a_journey, a_key, until

pytestmark = [
    pytest.mark.journey,
    pytest.mark.qemu,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

# Registers of the i6300esb: a lock at +12, the two timers at +0 and +4 (milliseconds), the switch at 0x68 of its configuration.
WATCHDOG = r"""
for card in /sys/bus/pci/devices/*; do [ "$(cat $card/device)" = 0x25ab ] && break; done
echo 1 >$card/enable
read -r base rest <$card/resource
timer() { devmem $((base + 12)) 16 0x80; devmem $((base + 12)) 16 0x86; devmem $((base + $1)) 32 500; }
timer 0; timer 4
printf '\002' | dd of=$card/config bs=1 seek=$((0x68)) conv=notrunc 2>/dev/null
echo armed"""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, image: GuestImage, cache: Path) -> Iterator[Journey]:
    with a_journey(
        tmp_path_factory.mktemp("actions"), cache=cache, driver="qemu", config_drive_format="vfat", reconcile_interval=5
    ) as journey:
        journey.up("--hosts", "2")
        if journey.facts()["hosts"][0]["fabric"] == "user":
            pytest.skip("the guest is asked by networks of the kernel (minicloud doctor)")
        yield journey


def test_one_guest_through_all_that_may_be_done_to_it(cloud: Journey) -> None:
    key = a_key(cloud.home)
    with cloud.connect() as admin:
        admin.compute.create_keypair(name="k", public_key=key.with_suffix(".pub").read_text())
        private = admin.network.find_network("private")
        flavor = admin.compute.create_flavor(name="watched", ram=128, vcpus=1, disk=1)
        admin.compute.create_flavor_extra_specs(flavor, {"hw:watchdog_action": "reset"})
        web = create(admin, "web", private.id, key_name="k", flavor="watched", config_drive=True)
        web = admin.compute.wait_for_server(web, interval=0.1, wait=int(PATIENCE_S))
        assert "minilinux: metadata from configdrive" in cloud.wait_for_console("web", READY), "of vfat"
        ssh(cloud, key, "echo mine >/root/mark; sync; echo this boot >/run/mark")
        assert "0x25ab" in ssh(cloud, key, "cat /sys/bus/pci/devices/*/device").split(), "its watchdog"

        it_stands_still_and_goes_on(cloud, admin, key, web)
        an_interrupt_reaches_it(cloud, admin, key, web)
        it_is_backed_up(admin, web)
        it_is_rescued(cloud, admin, key, web)
        it_is_evacuated(cloud, admin, key, web)
        its_watchdog_bites(cloud, admin, key, web)
        delete(admin, web)
    assert cloud.guests() == {}


def it_stands_still_and_goes_on(cloud: Journey, admin: Connection, key: Path, web: Any) -> None:
    """In memory, where its process stays; and in a file, where it does not. Neither is another boot."""
    [pid] = cloud.guests().values()
    admin.compute.pause_server(web)
    wait_for(admin, web.id, "PAUSED", power=3)
    admin.compute.unpause_server(web)
    wait_for(admin, web.id, "ACTIVE", power=1)
    assert ssh(cloud, key, "cat /run/mark") == "this boot"
    assert list(cloud.guests().values()) == [pid]
    admin.compute.suspend_server(web)
    wait_for(admin, web.id, "SUSPENDED", power=7)
    assert cloud.guests() == {}
    admin.compute.resume_server(web)
    wait_for(admin, web.id, "ACTIVE", power=1)
    assert ssh(cloud, key, "cat /run/mark") == "this boot"


def an_interrupt_reaches_it(cloud: Journey, admin: Connection, key: Path, web: Any) -> None:
    """Its kernel counts it."""
    count = "awk '$1 == \"NMI:\" {print $2}' /proc/interrupts"
    before = int(ssh(cloud, key, count))
    admin.compute.trigger_server_crash_dump(web)
    until(lambda: int(ssh(cloud, key, count)) > before, "an interrupt that cannot be masked")
    wait_for(admin, web.id, "ACTIVE", power=1)


def it_is_backed_up(admin: Connection, web: Any) -> None:
    """The newest two of three stay."""
    for number in (1, 2, 3):
        admin.compute.backup_server(web, f"night-{number}", "daily", 2)
        wait_for(admin, web.id, "ACTIVE", power=1)
    kept = sorted(image.name for image in admin.image.images() if image.name.startswith("night"))
    assert kept == ["night-2", "night-3"]


def it_is_rescued(cloud: Journey, admin: Connection, key: Path, web: Any) -> None:
    """It boots an image, and its own disk is the second one, which can be mended."""
    admin.compute.rescue_server(web)
    wait_for(admin, web.id, "RESCUE", power=1)
    cloud.wait_for_console("web", READY, times=2)
    # Both disks have the same label, by which minilinux finds its root: it takes the one on the disk that was booted.
    first = "grep -q '^/dev/vda2 / ' /proc/mounts && test ! -e /root/mark"
    second = "mount /dev/vdb2 /mnt && cat /mnt/root/mark && echo mended >/mnt/root/mark && sync && umount /mnt"
    look = f"{first} && {second}"
    assert ssh(cloud, key, look) == "mine"
    admin.compute.unrescue_server(web)
    wait_for(admin, web.id, "ACTIVE", power=1)
    cloud.wait_for_console("web", READY, times=3)
    assert ssh(cloud, key, "cat /root/mark") == "mended"


def it_is_evacuated(cloud: Journey, admin: Connection, key: Path, web: Any) -> None:
    """Its host is said to be down: it begins anew elsewhere with its address, and nothing of it is left when the host returns."""
    before = admin.compute.get_server(web.id)
    services = {service.host: service for service in admin.compute.services(binary="nova-compute")}
    lost = services[before.compute_host]
    admin.compute.update_service_forced_down(lost, lost.host, lost.binary, True)
    admin.compute.evacuate_server(web)
    # Since 2.95 it is off there until somebody starts it.
    wait_for(admin, web.id, "SHUTOFF", power=4)
    admin.compute.start_server(web)
    wait_for(admin, web.id, "ACTIVE", power=1)
    after = admin.compute.get_server(web.id)
    assert (after.addresses, after.compute_host != before.compute_host) == (before.addresses, True)
    admin.compute.update_service_forced_down(lost, lost.host, lost.binary, False)
    old = cloud.data / "hosts" / before.compute_host / "instances" / web.id
    until(lambda: not old.exists(), "that the host that returned has nothing of it")
    cloud.wait_for_console("web", READY)
    assert ssh(cloud, key, "ls /root/mark 2>/dev/null; hostname") == "web"


def its_watchdog_bites(cloud: Journey, admin: Connection, key: Path, web: Any) -> None:
    """The kernel here has no driver for it, so the guest's shell speaks with the card: half a second for each of its two stages."""
    assert ssh(cloud, key, WATCHDOG) == "armed"
    cloud.wait_for_console("web", READY, times=2)
    assert "the guest's watchdog was not fed: reset" in cloud.does("minicloud", "explain", "web")
    wait_for(admin, web.id, "ACTIVE", power=1)
