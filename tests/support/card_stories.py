"""Stories of sagas about a server's network cards: what of a card is looked at, beside what every story looks at."""

from typing import Any

import msgspec

from tests.support.datacenters import Datacenter
from tests.support.server_stories import Picture, ServerStory, as_it_was
from tests.support.worlds import Outside


class Cards(msgspec.Struct, frozen=True):
    """What of a card could be left behind."""

    server: Picture
    cards: list[int]


class CardStory(ServerStory):
    given = "running"

    async def picture(self, outside: Outside) -> Any:
        assert isinstance(outside, Datacenter)
        rows = [row for host in outside.agents for row in outside.log.rows("machines", host).values()]
        machines = [row["machine"] if isinstance(row, dict) else row.machine for row in rows]
        cards = [len(m["nics"]) if isinstance(m, dict) else len(m.nics) for m in machines]
        return Cards(server=await super().picture(outside), cards=cards)

    def is_clean(self, before: Cards, after: Cards) -> bool:
        assert after.server.last_action is not None
        return (
            as_it_was(before.server, after.server)
            and after.cards == before.cards
            and after.server.last_action[1] == "Error"
        )
