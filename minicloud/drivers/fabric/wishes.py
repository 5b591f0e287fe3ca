"""What was last wished, a small file per thing, so that the next process knows what the devices it finds are for."""

from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from minicloud.drivers.fabric import Network, Port, Router

Wish = TypeVar("Wish", Network, Router, Port)


class Wishes(Generic[Wish]):
    """Wishes of one kind by id, in memory and in ``folder``."""

    def __init__(self, folder: Path, kind: type[Wish]) -> None:
        self._folder = folder
        self._kind: type[Wish] = kind
        self._known: dict[str, Wish] = {}

    def load(self) -> None:
        """Read what an earlier process wished; a file that it could not finish counts for nothing."""
        self._known = {}
        if not self._folder.exists():
            return
        for file in self._folder.glob("*.json"):
            try:
                wish = msgspec.json.decode(file.read_bytes(), type=self._kind)
            except (msgspec.DecodeError, UnicodeDecodeError):
                file.unlink(missing_ok=True)
                continue
            self._known[wish.id] = wish

    def get(self, wish_id: str) -> Wish | None:
        return self._known.get(wish_id)

    def all(self) -> list[Wish]:
        return list(self._known.values())

    def put(self, wish: Wish) -> None:
        """Remember a wish; written before anything is done about it."""
        if self._known.get(wish.id) == wish:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self._folder / f"{wish.id}.new"
        fresh.touch(mode=0o600)
        fresh.write_bytes(msgspec.json.encode(wish))
        fresh.replace(self._folder / f"{wish.id}.json")
        self._known[wish.id] = wish

    def drop(self, wish_id: str) -> None:
        """Forget a wish; done after nothing is left of it."""
        self._known.pop(wish_id, None)
        (self._folder / f"{wish_id}.json").unlink(missing_ok=True)
