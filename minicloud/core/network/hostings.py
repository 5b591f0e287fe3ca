"""What agents are told by administrators: whether they are switched on, and which networks and routers they serve.

By itself every host's DHCP serves each network that has DHCP, for the ports that are bound there, and every host's L3 each
router that joins something. What is said here makes a difference on that host: see ``wishes``. Where hosts share networks, one
agent that serves something is enough for all, and what no agent serves stands nowhere.
"""

from collections.abc import Collection
from typing import ClassVar

from minicloud.base import trace
from minicloud.core import records
from minicloud.engines.database import Transaction

DHCP = "DHCP agent"
L3 = "L3 agent"
_NOBODY = ""
"""In the place of a host: no agent at all serves it."""


class AgentSetting(records.Record, kw_only=True):
    """What is said of a host's agent of a kind."""

    TABLE = "network_agents"
    KEY: ClassVar[tuple[str, ...]] = ("host", "kind")

    host: str
    kind: str
    admin_state_up: bool = True
    description: str | None = None
    deleted_at: str | None = None


class Hosting(records.Record, kw_only=True):
    """That an agent serves a network or router, or does not."""

    TABLE = "network_hostings"
    KEY: ClassVar[tuple[str, ...]] = ("object_id", "kind", "host")

    host: str
    kind: str
    object_id: str
    hosted: bool


def settings(tx: Transaction) -> dict[tuple[str, str], AgentSetting]:
    """All that is said of agents, by host and kind."""
    return {(one.host, one.kind): one for one in records.select(tx, AgentSetting)}


def setting(tx: Transaction, host: str, kind: str) -> AgentSetting:
    """What is said of an agent; nothing in particular where nobody spoke of it."""
    return records.find(tx, AgentSetting, host, kind) or AgentSetting(host=host, kind=kind)


def keep(tx: Transaction, wanted: AgentSetting) -> None:
    """Say this of an agent from now on."""
    records.remove(tx, wanted)
    records.insert(tx, wanted)


def give(tx: Transaction, host: str, kind: str, object_id: str) -> None:
    """Let an agent serve something."""
    _say(tx, host, kind, object_id, True)
    _unmark(tx, kind, object_id)


def take(tx: Transaction, host: str, kind: str, object_id: str, hosts: Collection[str]) -> None:
    """Let an agent serve something no more. ``hosts`` are all that have agents: what none of them serves is remembered."""
    _say(tx, host, kind, object_id, False)
    if not served_by(tx, hosts, kind, object_id):
        _say(tx, _NOBODY, kind, object_id, False)


def taken(tx: Transaction, kind: str, object_id: str) -> bool:
    """Whether something was taken from its last agent."""
    return records.find(tx, Hosting, object_id, kind, _NOBODY) is not None


def reschedule(tx: Transaction, kind: str, object_id: str) -> None:
    """Something that was taken from its last agent has changed: an agent that is switched on serves it again.

    Upstream schedules a network when it gets a subnet or a port, and a router whenever it or what it leads to is changed.
    """
    if not taken(tx, kind, object_id):
        return
    row = tx.one(
        "SELECT h.host FROM network_hostings h WHERE h.object_id = ? AND h.kind = ? AND h.host <> ? AND NOT EXISTS "
        "(SELECT 1 FROM network_agents a WHERE a.host = h.host AND a.kind = h.kind AND a.admin_state_up = 0) "
        "ORDER BY h.host LIMIT 1",
        [object_id, kind, _NOBODY],
    )
    if row is not None:
        give(tx, row[0], kind, object_id)
        trace.note("rescheduled", kind=kind, id=object_id, host=row[0])


def forget(tx: Transaction, object_id: str) -> None:
    """Something is gone."""
    tx.execute("DELETE FROM network_hostings WHERE object_id = ?", [object_id])


def served_by(tx: Transaction, hosts: Collection[str] | None, kind: str, object_id: str) -> bool:
    """Whether the agent of any of these hosts serves something that agents serve by themselves; None: of any host at all."""
    if hosts is None:
        return True
    said: dict[str, int] = dict(
        tx.all("SELECT host, hosted FROM network_hostings WHERE object_id = ? AND kind = ?", [object_id, kind])
    )
    off = {host for (host,) in tx.all("SELECT host FROM network_agents WHERE kind = ? AND admin_state_up = 0", [kind])}
    return any(said.get(host, True) and host not in off for host in hosts)


def networks_by_itself(tx: Transaction) -> list[str]:
    """The networks that have DHCP."""
    rows = tx.all("SELECT DISTINCT network_id FROM subnets WHERE enable_dhcp = 1 ORDER BY network_id")
    return [network_id for (network_id,) in rows]


def routers_by_itself(tx: Transaction) -> list[str]:
    """The routers that join something."""
    rows = tx.all(
        "SELECT DISTINCT device_id FROM ports WHERE device_owner IN ('network:router_interface', 'network:router_gateway') "
        "ORDER BY device_id"
    )
    return [router_id for (router_id,) in rows]


def served(tx: Transaction, host: str, kind: str) -> list[str]:
    """The networks or routers that an agent serves."""
    there = networks_by_itself(tx) if kind == DHCP else routers_by_itself(tx)
    said = {
        object_id: bool(hosted)
        for object_id, hosted in tx.all(
            "SELECT object_id, hosted FROM network_hostings WHERE kind = ? AND host = ?", [kind, host]
        )
    }
    found = [object_id for object_id in there if said.get(object_id, True)]
    return found + sorted(object_id for object_id, hosted in said.items() if hosted and object_id not in found)


def _say(tx: Transaction, host: str, kind: str, object_id: str, hosted: bool) -> None:
    wanted = Hosting(host=host, kind=kind, object_id=object_id, hosted=hosted)
    records.remove(tx, wanted)
    records.insert(tx, wanted)


def _unmark(tx: Transaction, kind: str, object_id: str) -> None:
    tx.execute("DELETE FROM network_hostings WHERE object_id = ? AND kind = ? AND host = ?", [object_id, kind, _NOBODY])
