"""What this machine has for a cloud, and what it lacks, each with the remedy: the rows of ``minicloud doctor``."""

import os
import platform
import shutil
import sys
from collections.abc import Awaitable, Callable
from importlib import metadata
from pathlib import Path
from typing import Literal

import msgspec

from minicloud import guest
from minicloud.base.errors import CloudError
from minicloud.base.tools import PACKAGES, find
from minicloud.drivers.fabric.linux.probe import probe as probe_fabric
from minicloud.drivers.fabric.linux.wayout import CARRIERS
from minicloud.drivers.hypervisor.qemu import hostfacts
from minicloud.drivers.hypervisor.qemu.command import UEFI_CODE, UEFI_VARIABLES
from minicloud.drivers.hypervisor.qemu.driver import FIRMWARE
from minicloud.drivers.hypervisor.qemu.probe import PROGRAM, abilities
from minicloud.settings import Settings, guest_cache

State = Literal["ok", "limited", "missing"]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing: ``limited`` works less well without it, ``missing`` keeps the cloud from real guests. ``fix`` is the next step."""

    name: str
    state: State
    found: str
    fix: str = ""


async def checks(settings: Settings) -> list[Check]:
    """Every check, in the order in which the parts build on each other. Takes a second or two the first time."""
    asked: list[Callable[[Settings], Awaitable[list[Check]]]] = [_python, _qemu, _network, _guest, _room, _clients]
    found: list[Check] = []
    for ask in asked:
        found += await ask(settings)
    return found


async def _python(settings: Settings) -> list[Check]:
    version = platform.python_version()
    try:
        loop = f"uvloop {metadata.version('uvloop')}"
    except metadata.PackageNotFoundError:
        loop = "asyncio's own loop"
    state: State = "ok" if loop.startswith("uvloop") else "limited"
    fix = "" if state == "ok" else "pip install uvloop makes the APIs faster"
    return [Check(name="python", state=state, found=f"{version}, {loop}", fix=fix)]


async def _qemu(settings: Settings) -> list[Check]:
    rows = []
    if find(PROGRAM) is None:
        without = "not found: only simulated servers (--driver fake)"
        rows.append(Check(name="qemu", state="missing", found=without, fix=f"apt install {PACKAGES[PROGRAM]}"))
    else:
        try:
            able = await abilities(_probe_cache(settings))
        except CloudError as error:
            rows.append(Check(name="qemu", state="missing", found=error.message, fix=f"reinstall {PACKAGES[PROGRAM]}"))
        else:
            major, minor, micro = able.version // 1_000_000, able.version // 1_000 % 1_000, able.version % 1_000
            box = "with its sandbox" if able.sandbox else "without a sandbox"
            rows.append(Check(name="qemu", state="ok", found=f"{major}.{minor}.{micro} {box}"))
            rows.append(_kvm(able.kvm, able.why))
    rows.append(_program("qemu-img", "missing", "disks of servers cannot be made"))
    rows.append(_program("mke2fs", "limited", "ephemeral disks of flavors come without a file system"))
    rows.append(_program("mkswap", "limited", "swap disks of flavors come without a swap area"))
    rows.append(_uefi())
    return rows


def _uefi() -> Check:
    if all((FIRMWARE / name).is_file() for name in (UEFI_CODE, UEFI_VARIABLES)):
        return Check(name="uefi", state="ok", found=str(FIRMWARE / UEFI_CODE))
    found = "not found: images with hw_firmware_type=uefi cannot be booted"
    return Check(name="uefi", state="limited", found=found, fix="apt install ovmf")


def _kvm(works: bool, why: str) -> Check:
    if works:
        return Check(name="kvm", state="ok", found=why)
    if not os.path.exists("/dev/kvm"):
        fix = "switch virtualization on in the firmware, or use a machine that has it; until then guests run under TCG, slower"
    elif "group" in why:
        fix = "sudo adduser $USER kvm, and log in again; until then guests run under TCG, slower"
    else:
        fix = "nothing to do: guests run under TCG, slower (this machine's KVM does not run real guests)"
    return Check(name="kvm", state="limited", found=f"not used: {why}", fix=fix)


async def _network(settings: Settings) -> list[Check]:
    try:
        found = await probe_fabric()
    except CloudError as error:
        return [Check(name="networks", state="limited", found=error.message, fix="guests get QEMU's user networking")]
    kinds = {
        "linux": "bridges, DHCP and routers in namespaces, as root",
        "rootless": "bridges, DHCP and routers in a user namespace",
        "user": "only QEMU's user networking: guests do not see each other; ssh goes by a forwarded port",
    }
    state: State = "limited" if found.best == "user" else "ok"
    rows = [Check(name="networks", state=state, found=kinds[found.best], fix=found.missing[0] if found.missing else "")]
    rows += [Check(name="networks", state="limited", found="also missing", fix=more) for more in found.missing[1:]]
    return [*rows, _way_out(found.best)]


def _way_out(best: str) -> Check:
    ways = {
        "linux": "by this machine's own forwarding, for clouds that are started with --outside",
        "user": "by QEMU's user networking",
    }
    carrier = next((program for program in map(find, CARRIERS) if program is not None), None)
    if best == "rootless" and carrier is None:
        fix = f"apt install {PACKAGES['pasta']}, then start clouds with --outside"
        return Check(name="way out", state="limited", found="none: neither pasta nor slirp4netns is installed", fix=fix)
    return Check(name="way out", state="ok", found=ways.get(best, f"by {carrier}, for clouds started with --outside"))


async def _guest(settings: Settings) -> list[Check]:
    image = guest.cached(guest_cache())
    if image is not None:
        size = image.disk.stat().st_size >> 20
        return [Check(name="guest image", state="ok", found=f"minilinux {image.version}, {size} MiB")]
    lacking = guest.missing_tools()
    if lacking:
        fix = f"{guest.install_hint(lacking)}, then minicloud image build"
        return [Check(name="guest image", state="limited", found=f"not built; {', '.join(lacking)} missing", fix=fix)]
    return [Check(name="guest image", state="limited", found="not built yet", fix="minicloud image build")]


async def _room(settings: Settings) -> list[Check]:
    free = hostfacts.available_mb()
    memory = Check(
        name="memory",
        state="ok" if free >= 1024 else "limited",
        found=f"{free} MiB free of {hostfacts.memory_mb()}, {hostfacts.processors()} processors",
        fix="" if free >= 1024 else "stop something: guests need their flavor's memory and 64 MiB more each",
    )
    room = _free_gb(Path(settings.data))
    disk = Check(
        name="disk",
        state="ok" if room >= 5 else "limited",
        found=f"{room} GiB free at {settings.data}",
        fix="" if room >= 5 else "make room, or give another folder with --data",
    )
    return [memory, disk]


async def _clients(settings: Settings) -> list[Check]:
    beside = Path(sys.executable).with_name("openstack")
    where = str(beside) if beside.exists() else find("openstack")
    client = (
        Check(name="openstack client", state="ok", found=where)
        if where is not None
        else Check(
            name="openstack client",
            state="limited",
            found="not found",
            fix=f"{sys.executable} -m pip install python-openstackclient",
        )
    )
    return [client, _program("ssh", "limited", "`minicloud ssh` cannot work")]


def _probe_cache(settings: Settings) -> Path | None:
    """Where the cloud itself remembers the probe; nothing is made for it."""
    data = Path(settings.data)
    return data / "kvm-probe.json" if data.is_dir() else None


def _free_gb(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free >> 30


def _program(name: str, otherwise: State, without: str) -> Check:
    where = find(name)
    if where is not None:
        return Check(name=name, state="ok", found=where)
    return Check(name=name, state=otherwise, found=f"not found: {without}", fix=f"apt install {PACKAGES[name]}")
