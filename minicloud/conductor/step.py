"""What a saga is: a struct of what it was asked and what it learned on the way, and its steps in order.

A saga file opens with the struct and the table of its steps, so that the first screen tells the story:

    class CreateServer(Saga):
        \"\"\"Bring a new server to ACTIVE, or leave nothing of it but an ERROR record.\"\"\"

        server_id: str
        host: str | None = None

        @classmethod
        def steps(cls) -> Steps["CreateServer"]:
            return [
                Step("claim", record=claim, unrecord=mark_error),
                Attempts([
                    Step("place", record=allocate, unrecord=free),
                    Step("spawn", act=ensure_running, undo=ensure_gone),
                ], limit=max_attempts),
                Step("publish", record=mark_active),
            ]

``record`` runs in the transaction that writes the log line: exactly once. ``act`` reaches outside: at least once, hence its
``ensure_`` name. A step may have both; the record then commits what the act learned. Functions set the saga's fields, and
what they set is stored with the log line. Undo runs in reverse for every step that *started*, so it must accept that there
was nothing.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

from minicloud.base.errors import CloudError, ErrorFacts, Failed, Unavailable
from minicloud.conductor.world import World
from minicloud.engines.database import Transaction

S = TypeVar("S", bound="Saga")
Record = Callable[[Transaction, S, World], None]
Act = Callable[[S, World], Awaitable[None]]
Limit = int | Callable[[World], int]


class Saga(msgspec.Struct, kw_only=True):
    """The work itself. Fields without defaults are parameters; fields with defaults are filled in by steps.

    ``failed`` says why the saga turned round (or tries again): the executor sets it, undos read it.
    """

    failed: ErrorFacts | None = None

    @property
    def about(self) -> str:
        """Id of the resource this work is about, for ``explain`` and for ``sagas_of``."""
        raise TypeError(f"{type(self).__name__} must say what it is about")

    @classmethod
    def steps(cls) -> "Steps[Any]":
        """The steps in order."""
        raise TypeError(f"{cls.__name__} must have steps")


class Step(Generic[S]):
    """One step. ``final`` marks the point of no return: from its start on, failures are retried and nothing is undone."""

    __slots__ = ("act", "final", "name", "record", "undo", "unrecord")

    def __init__(
        self,
        name: str,
        *,
        record: Record[S] | None = None,
        act: Act[S] | None = None,
        undo: Act[S] | None = None,
        unrecord: Record[S] | None = None,
        final: bool = False,
    ) -> None:
        self.name = name
        self.record = record
        self.act = act
        self.undo = undo
        self.unrecord = unrecord
        self.final = final

    @property
    def undoable(self) -> bool:
        """Whether undoing it does anything."""
        return self.undo is not None or self.unrecord is not None


class Attempts(Generic[S]):
    """Steps that are tried again, after their own undo, when one fails with an error worth another try.

    ``limit`` is how often in all; ``max_attempts`` where each try is another host.
    """

    __slots__ = ("again", "limit", "steps")

    def __init__(
        self, steps: Sequence[Step[S]], *, limit: Limit, again: tuple[type[CloudError], ...] = (Failed, Unavailable)
    ) -> None:
        self.steps = steps
        self.limit = limit
        self.again = again

    def tries(self, world: World) -> int:
        """How often they are tried at most in this cloud."""
        return self.limit if isinstance(self.limit, int) else self.limit(world)


def max_attempts(world: World) -> int:
    """Hosts on which a build or a move is tried (nova: ``[scheduler] max_attempts``)."""
    return world.scheduler.max_attempts


Steps: TypeAlias = Sequence[Step[S] | Attempts[S]]


class Placed(msgspec.Struct, frozen=True):
    """A step in its place: ``group`` is the Attempts it belongs to."""

    step: Step[Any]
    group: Attempts[Any] | None


def placed(kind: type[Saga]) -> list[Placed]:
    """A saga's steps in one line. Raises TypeError for steps that a log could not tell apart."""
    line: list[Placed] = []
    groups = 0
    for item in kind.steps():
        if isinstance(item, Attempts):
            groups += 1
            line += [Placed(step, item) for step in item.steps]
        else:
            line.append(Placed(item, None))
    names = [p.step.name for p in line]
    if len(set(names)) < len(names):
        raise TypeError(f"{kind.__name__} has two steps of one name: {', '.join(names)}")
    if groups > 1:
        # A saga counts one number of attempts: a second group would begin where the first one ended.
        raise TypeError(f"{kind.__name__} has {groups} groups of attempts; a saga has one at most")
    return line


def shape(kind: type[Saga]) -> list[str]:
    """The names of the steps: what a golden file lists and what recovery compares."""
    return [p.step.name for p in placed(kind)]
