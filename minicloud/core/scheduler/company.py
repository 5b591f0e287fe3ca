"""Who lives where already, as far as a request asks: its server group, and the servers that its hints name."""

from collections.abc import Mapping
from typing import Any

import msgspec

from minicloud.core import records
from minicloud.core.compute import server_groups
from minicloud.core.compute.servers import Server
from minicloud.engines.database import Transaction


class Company(msgspec.Struct, frozen=True, kw_only=True):
    """``members``: how many of the group's servers live on each host; ``same`` and ``different``: for each server that a hint
    names, its host; None where the hint was not given."""

    group_id: str = ""
    policy: str = ""
    most_per_host: int = 1
    members: Mapping[str, int] = {}
    same: Mapping[str, str] | None = None
    different: Mapping[str, str] | None = None


def company_of(tx: Transaction, server_id: str, hints: Mapping[str, Any]) -> Company:
    """The company of a server that is to be placed."""
    if not hints:
        return Company()
    group = server_groups.group_of(tx, server_id)
    if group is None and hints.get("group") is not None:
        # One that is only thought of has not joined yet.
        group = records.find(tx, server_groups.ServerGroup, str(hints["group"]))
    same, different = _homes(tx, hints.get("same_host")), _homes(tx, hints.get("different_host"))
    if group is None:
        return Company(same=same, different=different)
    return Company(
        group_id=group.id,
        policy=group.policy,
        most_per_host=group.most_per_host,
        members=server_groups.where(tx, group.id, but=server_id),
        same=same,
        different=different,
    )


def _homes(tx: Transaction, hint: Any) -> dict[str, str] | None:
    """The hosts of the servers that a hint names: one id, or a list of them."""
    if not hint:
        return None
    ids = [str(one) for one in hint] if isinstance(hint, list) else [str(hint)]
    found = records.select_in(tx, Server, "id", ids)
    return {one.id: one.host for one in found if one.host is not None and not one.deleted}
