"""What ports are looked for by that stands in other tables: their addresses and their groups."""

from collections.abc import Sequence

import msgspec

from minicloud.base.errors import Invalid
from minicloud.core.records import AnyOf, Condition
from minicloud.engines.database import Transaction


def conditions(
    tx: Transaction, *, fixed_ips: Sequence[str] = (), groups: Sequence[str] = ()
) -> list[Condition | AnyOf]:
    """Conditions on the ports' ids. ``fixed_ips`` are texts like ``subnet_id=...`` and ``ip_address=...``; of each kind any
    may hold, and each kind must. Raises Invalid for another kind."""
    found: list[Condition | AnyOf] = []
    wanted: dict[str, list[str]] = {}
    for text in fixed_ips:
        name, _, value = text.partition("=")
        if name not in ("subnet_id", "ip_address", "ip_address_substr") or not value:
            raise Invalid(
                f"Invalid input for operation: '{text}' is not of the form <key>=[value].", kind="InvalidInput"
            )
        wanted.setdefault(name, []).append(value)
    for name, values in wanted.items():
        if name == "subnet_id":
            rows = tx.all(
                "SELECT DISTINCT port_id FROM ip_allocations WHERE subnet_id IN (SELECT value FROM json_each(?))",
                [_list(values)],
            )
        elif name == "ip_address":
            rows = tx.all(
                "SELECT DISTINCT port_id FROM ip_allocations WHERE address IN (SELECT value FROM json_each(?))",
                [_list(values)],
            )
        else:
            rows = [
                row
                for value in values
                for row in tx.all("SELECT port_id FROM ip_allocations WHERE instr(address, ?) > 0", [value])
            ]
        found.append(Condition("id", "in", sorted({row[0] for row in rows})))
    if groups:
        rows = tx.all(
            "SELECT DISTINCT port_id FROM port_security_groups WHERE security_group_id IN (SELECT value FROM json_each(?))",
            [_list(groups)],
        )
        found.append(Condition("id", "in", [row[0] for row in rows]))
    return found


def _list(values: Sequence[str]) -> str:
    return msgspec.json.encode(list(values)).decode()
