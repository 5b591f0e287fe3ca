"""A saga to play with: it waits until it is told to go on, so that recovery can be watched (start, kill, start, see it finish).

``minicloud saga demo start|tell|fail`` drives it; its only trace in the world is a row that says how far it came.
"""

from typing import Literal

import anyio

from minicloud.base.errors import Failed, Unavailable
from minicloud.conductor.step import Saga, Step, Steps
from minicloud.conductor.world import World
from minicloud.core import records
from minicloud.engines.database import Transaction

Word = Literal["", "go", "fail"]


class Demo(records.Record, kw_only=True):
    """How far a demo has come; ``word`` is what it was told."""

    TABLE = "saga_demos"
    MISSING = "Demo {id} could not be found."

    id: str
    reached: Literal["begun", "waiting", "told", "finished"] = "begun"
    word: Word = ""


class PlayDemo(Saga):
    """Begin, wait for a word, finish; or take it all back when the word is ``fail``."""

    demo_id: str

    @property
    def about(self) -> str:
        return self.demo_id

    @classmethod
    def steps(cls) -> Steps["PlayDemo"]:
        return [
            Step("begin", record=begin, unrecord=vanish),
            Step("listen", act=ensure_told, record=note_word),
            Step("finish", record=finish),
        ]


def begin(tx: Transaction, saga: PlayDemo, world: World) -> None:
    """The row was made by whoever asked; from now on it waits."""
    records.change(tx, records.get(tx, Demo, saga.demo_id), reached="waiting")


async def ensure_told(saga: PlayDemo, world: World) -> None:
    """Look for a word, again and again, for as long as it takes."""
    demo = await world.database.read(lambda tx: records.get(tx, Demo, saga.demo_id))
    while demo.word == "":
        await anyio.sleep(0.2)
        demo = await world.database.read(lambda tx: records.get(tx, Demo, saga.demo_id))
    if demo.word == "fail":
        raise Failed("It was told to fail")


def note_word(tx: Transaction, saga: PlayDemo, world: World) -> None:
    """Remember that the word came."""
    records.change(tx, records.get(tx, Demo, saga.demo_id), reached="told")


def finish(tx: Transaction, saga: PlayDemo, world: World) -> None:
    """The end of the story."""
    demo = records.get(tx, Demo, saga.demo_id)
    if demo.reached != "told":
        raise Unavailable("A demo cannot finish before it was told")
    records.change(tx, demo, reached="finished")


def vanish(tx: Transaction, saga: PlayDemo, world: World) -> None:
    """Leave nothing behind."""
    demo = records.find(tx, Demo, saga.demo_id)
    if demo is not None:
        records.remove(tx, demo)
