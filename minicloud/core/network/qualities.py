"""What traffic is held to, by a policy of its port's or address's own, else by its network's; a port's by its server's flavor, too."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from minicloud.core.network import qos_policies, qos_rules
from minicloud.core.network.qos_rules import QosRule
from minicloud.core.network.rows import Network, Port, Router
from minicloud.core.network.wished import LimitWish, QualityWish
from minicloud.engines.database import Transaction

NOTHING = QualityWish()


def of_ports(tx: Transaction, ports: Sequence[Port], networks: Mapping[str, Network]) -> dict[str, QualityWish]:
    """The wishes for servers' ports, by port, in at most one query; those without a policy have none."""
    policies = {port.id: port.qos_policy_id or networks[port.network_id].qos_policy_id for port in ports}
    return _of_policies(tx, policies)


def at_gateway(tx: Transaction, router: Router, network_id: str, own: Iterable[str]) -> dict[str, QualityWish]:
    """The limits of addresses at a router's gateway, by address: those of the gateway itself (``own``) and floating ones.

    One without a policy has its external network's, as the network service tells (``qos_network_policy_id``). Limits of
    single addresses are all that a gateway knows, and of IPv4 alone, as with Neutron's L3 agent.
    """
    outside = qos_policies.of_networks(tx, [network_id]).get(network_id)
    rows = tx.all("SELECT floating_ip_address, qos_policy_id FROM floating_ips WHERE router_id = ?", [router.id])
    policies = {address: policy_id or outside for address, policy_id in rows}
    policies |= {address: router.gateway_qos_policy_id or outside for address in own if ":" not in address}
    found = {
        address: msgspec.structs.replace(quality, dscp=None)
        for address, quality in sorted(_of_policies(tx, policies).items())
    }
    return {address: quality for address, quality in found.items() if quality != NOTHING}


def quality_of(rules: Sequence[QosRule]) -> QualityWish:
    """The wish for a policy's rules: limits and a mark; promises are for the scheduler. Pure."""
    limits = {r.direction: LimitWish(kbps=r.amount, burst_kb=r.burst) for r in rules if r.type == "bandwidth_limit"}
    return QualityWish(
        egress=limits.get(qos_rules.EGRESS),
        ingress=limits.get(qos_rules.INGRESS),
        dscp=next((rule.amount for rule in rules if rule.type == "dscp_marking"), None),
    )


def both(one: QualityWish, other: QualityWish) -> QualityWish:
    """What passes where two qualities are kept one after the other. Pure."""
    return QualityWish(
        egress=_narrower(one.egress, other.egress),
        ingress=_narrower(one.ingress, other.ingress),
        dscp=one.dscp if one.dscp is not None else other.dscp,
    )


def _narrower(one: LimitWish | None, other: LimitWish | None) -> LimitWish | None:
    """The slower of two limits, in bursts no faster than anything that the other one lets through."""
    limits = sorted((limit for limit in (one, other) if limit is not None and limit.kbps), key=lambda limit: limit.kbps)
    if len(limits) < 2:
        return limits[0] if limits else None
    slow, fast = limits
    peak = min(peak for peak in (slow.peak_kbps, fast.peak_kbps, fast.kbps) if peak)
    return msgspec.structs.replace(slow, peak_kbps=peak if peak > slow.kbps else 0)


def _of_policies(tx: Transaction, policies: Mapping[str, str | None]) -> dict[str, QualityWish]:
    wanted = sorted({policy_id for policy_id in policies.values() if policy_id is not None})
    if not wanted:
        return {}
    made = {policy_id: quality_of(rules) for policy_id, rules in qos_rules.of_policies(tx, wanted).items()}
    return {key: made[policy_id] for key, policy_id in policies.items() if policy_id is not None}
