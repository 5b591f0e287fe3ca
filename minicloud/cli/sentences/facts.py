"""The facts of a note as sentences read them: by name, with ids turned to names."""

import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec


class Sentence(msgspec.Struct, frozen=True):
    """A line of a story, and further lines below it."""

    text: str
    more: list[str] = []


Said = str | Sentence


class Facts:
    """Facts of one note, and the names of what they mention."""

    def __init__(self, facts: Mapping[str, Any], names: Mapping[str, str]) -> None:
        self._facts = facts
        self._names = names

    def __getitem__(self, key: str) -> Any:
        """A fact; KeyError where there is none, upon which the note is shown as it is."""
        return self._facts[key]

    def get(self, key: str, otherwise: Any = None) -> Any:
        """A fact that need not be there."""
        found = self._facts.get(key)
        return otherwise if found is None else found

    def name(self, key: str) -> str:
        """The name of what has the id in this fact, or the id."""
        return self.called(self._facts[key])

    def called(self, identity: Any) -> str:
        """The name of what has this id, or the id."""
        return self._names.get(str(identity), str(identity))

    def items(self) -> Iterable[tuple[str, Any]]:
        """All facts."""
        return self._facts.items()


Tell = Callable[[Facts], Said]


def listed(values: Iterable[Any], *, nothing: str = "none") -> str:
    """``a, b and c``."""
    words = [str(value) for value in values]
    if not words:
        return nothing
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def amounts(values: Mapping[str, Any]) -> str:
    """``1 VCPU, 512 MEMORY_MB``."""
    return ", ".join(f"{amount} {name}" for name, amount in values.items()) or "nothing"


def command(argv: Iterable[Any]) -> str:
    """A command line as a shell would take it."""
    return shlex.join(map(str, argv))


def megabytes(count: Any) -> str:
    """A number of bytes as people say it."""
    return f"{count / 1_000_000:.1f} MB" if count >= 100_000 else f"{count} bytes"


def plain(word: str, facts: Facts) -> str:
    """A note as it is: its word and its facts."""
    told = [
        f"{key}={facts.called(value) if isinstance(value, str) else value}"
        for key, value in facts.items()
        if key != "seconds"
    ]
    return f"{word}: {', '.join(told)}" if told else word
