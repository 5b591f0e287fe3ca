"""One asking of all hosts for all repairs that are about to ask: they wake together, and ten thousand hosts take seconds to tell."""

from collections.abc import Awaitable, Callable, Mapping

import anyio

from minicloud.agent import calls

Reports = Mapping[str, calls.HostReport]
COMPANY_S = 0.02
"""How long the first waits for others."""


class _Round:
    def __init__(self) -> None:
        self.reports: Reports | None = None


class Gathering:
    """Hosts are asked after each of those who share the answers began to wait: nobody sees what was before his question."""

    def __init__(self) -> None:
        self._next: _Round | None = None
        self._turn = anyio.Lock()

    async def reports(self, ask: Callable[[], Awaitable[Reports]]) -> Reports:
        """What ``ask`` answers, to me or to one who asks for all of us. Raises what it raises."""
        mine = self._next
        if mine is None:
            mine = self._next = _Round()
        async with self._turn:
            # Were the first cancelled, or failed, the next of the round would ask.
            if mine.reports is None:
                await anyio.sleep(COMPANY_S)
                if self._next is mine:
                    self._next = None
                mine.reports = await ask()
            return mine.reports
