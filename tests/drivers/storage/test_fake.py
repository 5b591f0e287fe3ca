"""Simulated disks: faults by script, images read once for all hosts, room that disks use up."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
import pytest

from minicloud.base.errors import ErrorFacts, Failed
from minicloud.drivers.faults import Fault, FaultScript
from minicloud.drivers.statelog import StateLog
from minicloud.drivers.storage import GiB
from minicloud.drivers.storage.fake import FakeImages, FakeStorage
from tests.support.images import a_qcow2

pytestmark = pytest.mark.anyio


async def test_a_thousand_hosts_read_an_image_once() -> None:
    content, opened = a_qcow2(size=GiB), []

    async def fetch() -> AsyncIterator[bytes]:
        opened.append(1)
        await anyio.sleep(1)
        yield content

    log = StateLog()
    images = FakeImages(log)
    hosts = [FakeStorage(log, f"h{n}", images=images) for n in range(1000)]
    checksum = hashlib.sha512(content).hexdigest()
    async with anyio.create_task_group() as tasks:
        for host in hosts:
            tasks.start_soon(host.ensure_base, checksum, "qcow2", fetch)
    assert len(opened) == 1
    assert [base.virtual_size for base in await hosts[999].bases()] == [GiB]


@pytest.mark.parametrize("verb", ["ensure_disk", "ensure_file", "ensure_no_disks"])
async def test_every_verb_can_be_made_to_fail(verb: str) -> None:
    faults = FaultScript([Fault(verb=verb, target="m1", error=ErrorFacts("failed", "the disk is full"))])
    host = FakeStorage(StateLog(), "h1", faults=faults)
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "ensure_disk": lambda: host.ensure_disk("m1", "disk", base=None, size_bytes=GiB),
        "ensure_file": lambda: host.ensure_file("m1", "disk.config", b"x"),
        "ensure_no_disks": lambda: host.ensure_no_disks("m1"),
    }
    with pytest.raises(Failed, match="disk is full"):
        await calls[verb]()
    assert await host.machines() == []
    await calls[verb]()


async def test_disks_use_up_room() -> None:
    host = FakeStorage(StateLog(), "h1", size_gb=10)
    await host.ensure_disk("m1", "disk", base=None, size_bytes=4 * GiB)
    assert await host.free_bytes() == 6 * GiB
    await host.ensure_disk("m2", "disk", base=None, size_bytes=40 * GiB)
    assert await host.free_bytes() == 0
    await host.ensure_no_disks("m2")
    assert await host.free_bytes() == 6 * GiB
