"""Chooses the product behind each promise, from the settings: the only file beside ``cloud`` that imports products."""

import os
import secrets
import sys
from pathlib import Path
from typing import Any

from minicloud.agent.compute import HostAgent
from minicloud.agent.volume import BackendAgent
from minicloud.base import trace
from minicloud.base.clock import Clock
from minicloud.base.errors import CloudError, Invalid, ToolMissing
from minicloud.base.ids import Ids
from minicloud.base.tools import find
from minicloud.core.compute.descriptions import NO_LAB, HostDescription, Lab, read_lab
from minicloud.core.compute.topology import cpu_numbers
from minicloud.drivers.fabric import Fabric
from minicloud.drivers.fabric.fake import FakeFabric
from minicloud.drivers.hypervisor.fake import FakeHypervisor, FakeWorld, HostSize
from minicloud.drivers.hypervisor.qemu.hostcells import Part
from minicloud.drivers.statelog import StateLog
from minicloud.drivers.storage.fake import FakeImages, FakeStorage
from minicloud.drivers.storage.fakevolumes import SIZE_GB, FakeVolumes
from minicloud.engines.blobs import Blobs
from minicloud.engines.database import Database
from minicloud.engines.database.inline import InlineDatabase
from minicloud.engines.messaging.inprocess import InProcess
from minicloud.engines.servicegroup.database import DatabaseServiceGroup
from minicloud.settings import Settings, cache_folder, read_volume_backends

STORAGE = "control"
"""The machine of the storage backend: that of the control side, whose files all hosts of this process may open."""


async def open_database(settings: Settings, clock: Clock, ids: Ids) -> Database:
    """The database of a data folder, or one in memory."""
    if settings.memory:
        return InlineDatabase(clock=clock, ids=ids)
    # aiosqlite is the one product that needs asyncio: a cloud in memory runs under trio, too.
    from minicloud.engines.database.sqlite import SqliteDatabase

    path = Path(settings.data) / "cloud.db"
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    return await SqliteDatabase.open(str(path), clock=clock, ids=ids, durability=settings.durability)


def best_driver() -> str:
    if find("qemu-system-x86_64") is not None and find("qemu-img") is not None:
        return "qemu"
    return "fake"


def host_names(count: int) -> list[str]:
    """``host-1`` and so on, padded so that they sort as they count."""
    width = len(str(count))
    return [f"host-{number:0{width}}" for number in range(1, count + 1)]


def lab_of(settings: Settings) -> Lab:
    """The file that describes the hosts, if the settings name one. Raises Invalid."""
    if not settings.hosts_file:
        return NO_LAB
    try:
        text = Path(settings.hosts_file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"Cannot read the file of hosts {settings.hosts_file}: {error}") from error
    return read_lab(text, settings.hosts_file)


def _size(settings: Settings, described: HostDescription | None) -> HostSize:
    """What a simulated host has: as it is described, else as the settings say."""
    if described is None:
        return HostSize(vcpus=settings.fake_vcpus, memory_mb=settings.fake_memory_mb, disk_gb=settings.fake_disk_gb)
    cells = described.cells()
    in_cells = sum(len({*cell.cpus, *cell.pinned}) for cell in cells)
    return HostSize(
        vcpus=described.vcpus or in_cells or settings.fake_vcpus,
        memory_mb=described.memory_mb or sum(cell.memory_mb for cell in cells) or settings.fake_memory_mb,
        disk_gb=described.disk_gb or settings.fake_disk_gb,
    )


async def hosts_of(
    settings: Settings,
    driver: str,
    folder: Path,
    blobs: Blobs,
    messaging: InProcess,
    servicegroup: DatabaseServiceGroup,
    lab: Lab = NO_LAB,
) -> tuple[list[HostAgent], list[BackendAgent], FakeWorld | None]:
    """The hosts of the cloud, on the drivers that were chosen, and its storage backends, which are simulated where they are."""
    common: dict[str, Any] = {"blobs": blobs, "messaging": messaging, "servicegroup": servicegroup}
    on_hosts = {**common, "drive_format": settings.config_drive_format}
    described = lab.by_name()
    if described and driver != "fake":
        raise Invalid("A file of hosts describes simulated ones: say --driver fake")
    names = list(described) or host_names(settings.hosts)
    further = read_volume_backends(settings.volume_backends, settings.data)
    if driver == "fake":
        log = StateLog(None if settings.memory else folder / "fake.log")
        fake, images = FakeWorld(log, move_seconds=settings.fake_move_seconds), FakeImages(log)
        sizes = {name: _size(settings, described.get(name)) for name in names}
        return (
            [
                HostAgent(
                    name,
                    hypervisor=FakeHypervisor(fake, name, sizes[name]),
                    fabric=FakeFabric(log, name),
                    storage=FakeStorage(log, name, images=images, faults=fake.faults, size_gb=sizes[name].disk_gb),
                    **on_hosts,
                )
                for name in names
            ],
            [
                BackendAgent(
                    STORAGE,
                    store=FakeVolumes(log, where, images=images, faults=fake.faults, size_gb=size_gb or SIZE_GB),
                    name=name,
                    **common,
                )
                for name, where, size_gb in [
                    (None, "volumes", SIZE_GB),
                    *((one.name, f"volumes-{one.name}", one.size_gb) for one in further),
                ]
            ],
            fake,
        )
    from minicloud.drivers.hypervisor.qemu.driver import QemuHypervisor, Size
    from minicloud.drivers.storage.basecache import BaseCache
    from minicloud.drivers.storage.files import FilesStorage
    from minicloud.drivers.storage.volumefiles import VolumeFiles

    if settings.memory:
        raise CloudError("A cloud in memory can only have fake hosts: say --driver fake")
    if best_driver() != "qemu":
        raise ToolMissing("qemu-system-x86_64 or qemu-img not found: apt install qemu-system-x86 qemu-utils")
    fabrics = await fabrics_of(settings, folder, names)
    cache = BaseCache(folder / "_base")
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    parts = parts_of(settings.cpu_dedicated_set, len(names))
    memory_mb = None if len(names) == 1 else whole // len(names)
    return (
        [
            HostAgent(
                name,
                hypervisor=QemuHypervisor(
                    folder / "hosts" / name,
                    accel=settings.accelerator,
                    probe_cache=cache_folder() / "kvm-probe.json",
                    size=Size(memory_mb=memory_mb, part=part),
                ),
                fabric=fabrics[name],
                storage=FilesStorage(folder / "hosts" / name, cache),
                **on_hosts,
            )
            for name, part in zip(names, parts, strict=True)
        ],
        [
            BackendAgent(STORAGE, store=VolumeFiles(where, cache, size_gb), name=name, **common)
            for name, where, size_gb in [
                (None, folder / "storage", None),
                *((one.name, one.folder or folder / "backends" / one.name, one.size_gb) for one in further),
            ]
        ],
        None,
    )


def parts_of(dedicated: str, hosts: int) -> list[Part]:
    """What each of so many hosts of QEMU has of this computer's processors and pages. Raises Invalid."""
    if not dedicated:
        return [Part(hosts=hosts)] * hosts
    there = os.sched_getaffinity(0)
    try:
        kept = cpu_numbers(dedicated)
    except Invalid as error:
        raise Invalid(f"Cannot use the setting cpu_dedicated_set: {error.message}") from error
    if missing := sorted(kept - there):
        raise Invalid(
            f"The setting cpu_dedicated_set names processors that this computer does not have: {missing}; "
            f"it has {sorted(there)}"
        )
    shared = frozenset(there - kept)
    return [Part(shared=shared, pinned=frozenset(sorted(kept)[index::hosts]), hosts=hosts) for index in range(hosts)]


async def fabrics_of(settings: Settings, folder: Path, names: list[str]) -> dict[str, Fabric]:
    """The network of real guests, by host: each of several has ports of its own, on networks that they share."""
    from minicloud.drivers.fabric.linux import LinuxFabric, LinuxHostFabric
    from minicloud.drivers.fabric.user import UserFabric

    fabric = await fabric_of(settings, folder)
    if len(names) == 1:
        return dict.fromkeys(names, fabric)
    homes = {name: folder / "fabric" / "hosts" / name for name in names}
    if isinstance(fabric, LinuxFabric):
        return {name: LinuxHostFabric(name, fabric, home) for name, home in homes.items()}
    if isinstance(fabric, UserFabric):
        return {name: UserFabric(home) for name, home in homes.items()}
    log = StateLog(folder / "fake-fabric.log")
    return {name: FakeFabric(log, name) for name in names}


async def fabric_of(settings: Settings, folder: Path) -> Fabric:
    """The network of real guests: the best that this machine allows, or what was asked for."""
    from minicloud.drivers.fabric.linux import LinuxFabric
    from minicloud.drivers.fabric.linux.probe import probe
    from minicloud.drivers.fabric.linux.wayout import carrier
    from minicloud.drivers.fabric.user import UserFabric

    where = folder / "fabric"
    if settings.fabric == "fake":
        return FakeFabric(StateLog(folder / "fake-fabric.log"))
    if settings.fabric == "user" or sys.platform != "linux":
        return UserFabric(where)
    found = await probe()
    if found.best == "user":
        trace.note("fabric_chosen", kind="user", missing=found.missing)
        if settings.fabric == "linux":
            raise ToolMissing(f"The linux fabric cannot work here: {'; '.join(found.missing)}")
        return UserFabric(where)
    if settings.outside and found.best == "rootless":
        carrier(0)
    return LinuxFabric(cloud_id(folder), where, rootless=found.best == "rootless", outside=settings.outside)


def cloud_id(folder: Path) -> str:
    """A short name that no other cloud of this machine has, made at the first start and kept."""
    path = folder / "cloud-id"
    if not path.exists():
        path.write_text(secrets.token_hex(3) + "\n", encoding="utf-8")
    return path.read_text(encoding="utf-8").strip()
