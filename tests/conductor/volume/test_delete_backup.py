"""Deleting a backup keeps the contract of sagas."""

import pytest

from minicloud.conductor.volume.delete_backup import DeleteBackup
from tests.support.backup_stories import Deleting
from tests.support.saga_contract import check_contract

pytestmark = pytest.mark.anyio


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(Deleting(), DeleteBackup, deaths=60, pairs=20) > 5
