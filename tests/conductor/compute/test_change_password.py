"""ChangePassword keeps the contract of every saga, and leaves no password in its log."""

from typing import Any

import pytest

from minicloud.conductor import log
from minicloud.conductor.compute.change_password import ChangePassword
from minicloud.conductor.executor import Executor
from minicloud.core import records
from tests.support.datacenters import take
from tests.support.saga_contract import check_contract
from tests.support.server_stories import Picture, ServerStory, as_it_was
from tests.support.worlds import Outside

pytestmark = pytest.mark.anyio


class PasswordStory(ServerStory):
    given = "running"

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            server, action_id = take(tx, "changePassword")
            saga = ChangePassword(
                server_id=server.id, action_id=action_id, claimed="updating_password", password="secret"
            )
            return executor.begin(tx, saga)

        return await executor.world.database.write(work)

    async def picture(self, outside: Outside) -> Picture:
        def told(tx: Any) -> list[str]:
            rows = records.select(tx, log.SagaRow, "kind LIKE '%ChangePassword' OR kind LIKE '%Troubled'")
            return [row.body for row in rows if row.state == "done"]

        assert not any("secret" in body for body in await outside.database.read(told))
        return await super().picture(outside)

    def is_finished(self, before: Picture, after: Picture) -> bool:
        return as_it_was(before, after) and after.last_action == ("changePassword", None)

    def is_clean(self, before: Picture, after: Picture) -> bool:
        return as_it_was(before, after) and after.last_action == ("changePassword", "Error")


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(PasswordStory(), ChangePassword) > 20
