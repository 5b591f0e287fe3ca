"""Repairs that ask together are answered together, and nobody gets an answer older than his question."""

import anyio
import pytest

from minicloud.reconcilers.gathering import COMPANY_S, Gathering, Reports

pytestmark = pytest.mark.anyio


class Hosts:
    """Those who are asked: each asking takes a second, and the answers are told apart by who they are."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.answers: list[Reports] = []
        self.fail = False

    async def ask(self) -> Reports:
        self.asked.append(anyio.current_time())
        await anyio.sleep(1)
        if self.fail:
            self.fail = False
            raise RuntimeError("broken")
        self.answers.append({})
        return self.answers[-1]


async def test_those_who_ask_together_share_one_asking() -> None:
    gathering, hosts = Gathering(), Hosts()
    got: list[Reports] = []

    async def repair(after_s: float) -> None:
        await anyio.sleep(after_s)
        began = anyio.current_time()
        got.append(await gathering.reports(hosts.ask))
        which = next(index for index, answer in enumerate(hosts.answers) if answer is got[-1])
        assert hosts.asked[which] >= began

    async with anyio.create_task_group() as tasks:
        # Three together; two while hosts are being asked, who share the next asking.
        for after_s in (0, 0, COMPANY_S / 2, 0.5, 0.9):
            tasks.start_soon(repair, after_s)
    assert len(hosts.asked) == 2
    assert len(got) == 5


async def test_the_first_that_is_cancelled_or_breaks_leaves_the_asking_to_the_next() -> None:
    gathering, hosts = Gathering(), Hosts()
    got: list[Reports] = []

    async def repair() -> None:
        got.append(await gathering.reports(hosts.ask))

    async with anyio.create_task_group() as tasks:
        with anyio.move_on_after(0.5):
            tasks.start_soon(repair)
            tasks.start_soon(repair)
            await gathering.reports(hosts.ask)
    assert len(got) == 2
    hosts.fail = True
    with pytest.raises(RuntimeError, match="broken"):
        await gathering.reports(hosts.ask)
    assert await gathering.reports(hosts.ask) == {}
