"""What agents are told by administrators: whether they are switched on, and which networks and routers they serve.

By itself every host's DHCP serves each network that has DHCP, for the ports that are bound there, and every host's L3 each
router that joins something. What is said here makes a difference on that host: see ``wishes``.
"""

from typing import ClassVar

from minicloud.core import records
from minicloud.engines.database import Transaction

DHCP = "DHCP agent"
L3 = "L3 agent"


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


def set_hosting(tx: Transaction, host: str, kind: str, object_id: str, hosted: bool) -> None:
    """Let an agent serve something, or not."""
    wanted = Hosting(host=host, kind=kind, object_id=object_id, hosted=hosted)
    records.remove(tx, wanted)
    records.insert(tx, wanted)


def forget(tx: Transaction, object_id: str) -> None:
    """Something is gone."""
    tx.execute("DELETE FROM network_hostings WHERE object_id = ?", [object_id])


def serves(tx: Transaction, host: str | None, kind: str, object_id: str, *, by_itself: bool = True) -> bool:
    """Whether an agent serves something; ``host`` None means any that would do it by itself."""
    if host is None:
        return by_itself
    row = tx.one(
        "SELECT hosted FROM network_hostings WHERE object_id = ? AND kind = ? AND host = ?", [object_id, kind, host]
    )
    off = tx.one("SELECT 1 FROM network_agents WHERE host = ? AND kind = ? AND admin_state_up = 0", [host, kind])
    return off is None and (by_itself if row is None else bool(row[0]))


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
