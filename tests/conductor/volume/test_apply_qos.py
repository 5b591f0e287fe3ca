"""Specs reach the disk of a guest that runs, and what is told to whoever connects again."""

from typing import Any

import msgspec
import pytest

from minicloud.conductor.executor import Executor
from minicloud.conductor.volume.apply_qos import ApplyQos
from minicloud.core import records
from minicloud.core.volume import qos_specs, types
from minicloud.core.volume.attachments import VolumeAttachment
from minicloud.engines.database import Transaction
from tests.support.attachment_stories import VolumedStory
from tests.support.datacenters import Datacenter
from tests.support.saga_contract import check_contract
from tests.support.volume_stories import only_volume
from tests.support.worlds import Outside

pytestmark = pytest.mark.anyio


class Throttling(VolumedStory):
    attached = True

    async def begin(self, executor: Executor) -> str:
        def work(tx: Transaction) -> str:
            kind = types.ensure_default(tx)
            found = qos_specs.create(tx, "slow", "front-end", {"total_iops_sec": "50"})
            qos_specs.associate(tx, found, kind)
            return executor.begin(tx, ApplyQos(volume_ids=[only_volume(tx).id]))

        return await executor.world.database.write(work)

    async def picture(self, outside: Outside) -> Any:
        assert isinstance(outside, Datacenter)
        machines = [row for host in outside.agents for row in outside.log.rows("machines", host).values()]
        disks = [
            disk for row in machines for disk in msgspec.to_builtins(row)["machine"]["disks"] if disk.get("serial")
        ]
        found = await outside.database.read(lambda tx: records.select(tx, VolumeAttachment))
        told = [(one.connection_info or {}).get("data", {}).get("qos_specs") for one in found]
        return [(disk.get("throttle") or {}).get("total_iops") for disk in disks], told

    def is_finished(self, before: Any, after: Any) -> bool:
        return bool(before == ([None], [None]) and after == ([50], [{"total_iops_sec": "50"}]))


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(Throttling(), ApplyQos, deaths=40, pairs=10) > 5
