"""A storm of servers asked for, stopped, started, rebooted and deleted over HTTP; and a ledger of what was acknowledged."""

import random
from typing import Any, Literal

import anyio
import httpx
import msgspec

End = Literal["ACTIVE", "SHUTOFF", "gone"]
ANY_POWER: frozenset[End] = frozenset({"ACTIVE", "SHUTOFF"})


class Entry(msgspec.Struct):
    """A server in the ledger: how it may end, as far as anybody was told. Several ends: an answer was never received."""

    id: str
    name: str
    may_end: frozenset[End]
    busy: bool = False


class Ledger:
    """Everything that the cloud has promised, whoever has killed it since."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.unanswered: set[str] = set()
        self.acknowledged = 0

    def created(self, name: str, server_id: str) -> None:
        """A server was promised."""
        self.acknowledged += 1
        self.entries[server_id] = Entry(server_id, name, frozenset({"ACTIVE"}))

    def found(self, servers: list[dict[str, Any]]) -> None:
        """Servers that exist although the answer to whoever asked for them got lost."""
        for server in servers:
            if server["id"] not in self.entries:
                assert server["name"] in self.unanswered, f"nobody asked for {server['name']}"
                self.entries[server["id"]] = Entry(server["id"], server["name"], ANY_POWER)
        self.unanswered.clear()

    def living(self) -> list[Entry]:
        """Servers that are there for sure and that nobody uses now."""
        return [e for e in self.entries.values() if "gone" not in e.may_end and not e.busy]


class Storm:
    """Clients at work until the cloud goes away."""

    def __init__(self, ledger: Ledger, headers: dict[str, str], image: str, dice: random.Random) -> None:
        self._ledger = ledger
        self._headers = headers
        self._image = image
        self._dice = dice
        self._number = 0

    async def rage(self, url: str, *, clients: int, most: int) -> None:
        """So many clients at once; with ``most`` servers alive there are more deletes than creates. Ends when nobody answers."""
        limits = httpx.Limits(max_connections=clients)
        async with (
            httpx.AsyncClient(base_url=url, headers=self._headers, timeout=30, limits=limits) as http,
            anyio.create_task_group() as tasks,
        ):
            for _ in range(clients):
                tasks.start_soon(self._client, http, most)

    async def _client(self, http: httpx.AsyncClient, most: int) -> None:
        try:
            while True:
                living = self._ledger.living()
                if not living or self._dice.random() > len(living) / most:
                    await self._create(http)
                else:
                    # Often the newest: what is still being built is where work meets work.
                    chosen = living[-1] if self._dice.random() < 0.4 else self._dice.choice(living)
                    await self._change(http, chosen)
        except httpx.TransportError:
            # The cloud is dead.
            return

    async def _create(self, http: httpx.AsyncClient) -> None:
        self._number += 1
        name = f"web-{self._dice.getrandbits(32):08x}-{self._number}"
        body = {"name": name, "flavorRef": "1", "imageRef": self._image, "networks": "auto"}
        self._ledger.unanswered.add(name)
        answer = await http.post("/compute/v2.1/servers", json={"server": body})
        assert answer.status_code == 202, answer.text
        self._ledger.unanswered.discard(name)
        self._ledger.created(name, answer.json()["server"]["id"])

    async def _change(self, http: httpx.AsyncClient, entry: Entry) -> None:
        entry.busy = True
        before, path = entry.may_end, f"/compute/v2.1/servers/{entry.id}"
        verb = self._dice.choice(("delete", "delete", "os-stop", "os-start", "reboot"))
        ends: dict[str, End] = {"delete": "gone", "os-stop": "SHUTOFF", "os-start": "ACTIVE", "reboot": "ACTIVE"}
        entry.may_end = before | {ends[verb]}
        try:
            if verb == "delete":
                answer = await http.delete(path)
                assert answer.status_code == 204, answer.text
            else:
                arguments = {"type": "HARD"} if verb == "reboot" else None
                answer = await http.post(f"{path}/action", json={verb: arguments})
                assert answer.status_code in (202, 409), answer.text
            if answer.status_code == 409:
                entry.may_end = before
            else:
                self._ledger.acknowledged += 1
                entry.may_end = frozenset({ends[verb]})
        finally:
            entry.busy = False
