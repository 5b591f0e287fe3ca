"""Security groups as Nova shows them: only what comes in, with names and ports in its own form."""

from collections.abc import Sequence
from typing import Any

from minicloud.core.network.rows import SecurityGroup, SecurityGroupRule
from minicloud.core.network.security_groups import names_of
from minicloud.core.records import Transaction


def groups(tx: Transaction, found: Sequence[tuple[SecurityGroup, list[SecurityGroupRule]]]) -> list[dict[str, Any]]:
    """Groups with their rules."""
    sources = names_of(tx, [rule.remote_group_id for _, rules in found for rule in rules if rule.remote_group_id])
    return [_group(group, rules, sources) for group, rules in found]


def rule(tx: Transaction, found: SecurityGroupRule) -> dict[str, Any]:
    """One rule."""
    return _rule(found, names_of(tx, [found.remote_group_id] if found.remote_group_id else []))


def _group(group: SecurityGroup, rules: list[SecurityGroupRule], sources: dict[str, str]) -> dict[str, Any]:
    return {
        "id": group.id,
        "name": group.name,
        "description": group.description,
        "tenant_id": group.project_id,
        "rules": [_rule(rule, sources) for rule in rules if rule.direction == "ingress"],
    }


def _rule(rule: SecurityGroupRule, sources: dict[str, str]) -> dict[str, Any]:
    low, high = rule.port_range_min, rule.port_range_max
    if rule.protocol is not None and low is None and high is None:
        low, high = (1, 65535) if rule.protocol.lower() in ("tcp", "udp") else (-1, -1)
    everywhere = "0.0.0.0/0" if rule.ethertype == "IPv4" else "::/0"
    inside = rule.remote_group_id is not None
    return {
        "id": rule.id,
        "parent_group_id": rule.security_group_id,
        "ip_protocol": rule.protocol,
        "from_port": low,
        "to_port": high,
        "group": {"name": sources.get(rule.remote_group_id or "", ""), "tenant_id": rule.project_id} if inside else {},
        "ip_range": {} if inside else {"cidr": rule.remote_ip_prefix or everywhere},
    }
