"""What ports' traffic is held to: by a policy of their own, else by their network's."""

from collections.abc import Mapping, Sequence

from minicloud.core.network import qos_rules
from minicloud.core.network.qos_rules import QosRule
from minicloud.core.network.rows import Network, Port
from minicloud.core.network.wished import LimitWish, QualityWish
from minicloud.engines.database import Transaction

NOTHING = QualityWish()


def of_ports(tx: Transaction, ports: Sequence[Port], networks: Mapping[str, Network]) -> dict[str, QualityWish]:
    """The wishes for servers' ports, by port, in at most one query; those without a policy have none."""
    policies = {port.id: port.qos_policy_id or networks[port.network_id].qos_policy_id for port in ports}
    wanted = sorted({policy_id for policy_id in policies.values() if policy_id is not None})
    if not wanted:
        return {}
    made = {policy_id: quality_of(rules) for policy_id, rules in qos_rules.of_policies(tx, wanted).items()}
    return {port_id: made[policy_id] for port_id, policy_id in policies.items() if policy_id is not None}


def quality_of(rules: Sequence[QosRule]) -> QualityWish:
    """The wish for a policy's rules: limits and a mark; promises are for the scheduler. Pure."""
    limits = {r.direction: LimitWish(kbps=r.amount, burst_kb=r.burst) for r in rules if r.type == "bandwidth_limit"}
    return QualityWish(
        egress=limits.get(qos_rules.EGRESS),
        ingress=limits.get(qos_rules.INGRESS),
        dscp=next((rule.amount for rule in rules if rule.type == "dscp_marking"), None),
    )
