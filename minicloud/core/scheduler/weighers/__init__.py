"""Weighers, one to a file, by Nova's names; and how their scores are put together."""

from collections.abc import Mapping, Sequence

from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.options import SchedulerOptions
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Weigher
from minicloud.core.scheduler.weighers.build_failure import BuildFailureWeigher
from minicloud.core.scheduler.weighers.cpu import CPUWeigher
from minicloud.core.scheduler.weighers.disk import DiskWeigher
from minicloud.core.scheduler.weighers.hypervisor_version import HypervisorVersionWeigher
from minicloud.core.scheduler.weighers.image_locality import ImageLocalityWeigher
from minicloud.core.scheduler.weighers.image_properties import ImagePropertiesWeigher
from minicloud.core.scheduler.weighers.io_ops import IoOpsWeigher
from minicloud.core.scheduler.weighers.metrics import MetricsWeigher
from minicloud.core.scheduler.weighers.num_instances import NumInstancesWeigher
from minicloud.core.scheduler.weighers.pci import PCIWeigher
from minicloud.core.scheduler.weighers.ram import RAMWeigher
from minicloud.core.scheduler.weighers.soft_affinity import ServerGroupSoftAffinityWeigher
from minicloud.core.scheduler.weighers.soft_anti_affinity import ServerGroupSoftAntiAffinityWeigher


def all_weighers(options: SchedulerOptions) -> Mapping[str, Weigher]:
    """Every weigher by name."""
    weighers: list[Weigher] = [
        RAMWeigher(),
        CPUWeigher(),
        DiskWeigher(),
        IoOpsWeigher(),
        PCIWeigher(),
        ServerGroupSoftAffinityWeigher(),
        ServerGroupSoftAntiAffinityWeigher(),
        BuildFailureWeigher(),
        HypervisorVersionWeigher(),
        NumInstancesWeigher(),
        ImagePropertiesWeigher(options),
        ImageLocalityWeigher(),
        MetricsWeigher(options),
    ]
    return {one.name: one for one in weighers}


def weigh(
    hosts: Sequence[HostState], request: RequestSpec, weighers: Sequence[tuple[Weigher, float]]
) -> list[dict[str, float]]:
    """For each host the share of each weigher in its weight.

    Scores go from 0 for the worst of these hosts (or the weigher's own ``floor``) to 1 for the best, times the multiplier:
    the setting's, or the least that an aggregate of the host sets. Where all are alike a weigher has no say, and is left out. A
    negative multiplier turns it round, 0 switches it off.
    """
    shares: list[dict[str, float]] = [{} for _ in hosts]
    own = any(host.described.multipliers for host in hosts)
    for weigher, multiplier in weighers:
        if not multiplier and not own:
            continue
        scores = [weigher.score(host, request) for host in hosts]
        floor: float | None = getattr(weigher, "floor", None)
        least = min(scores) if floor is None else floor
        span = max(scores) - least
        if not span:
            continue
        for host, share, score in zip(hosts, shares, scores, strict=True):
            times = host.described.multipliers.get(weigher.setting, multiplier) if own else multiplier
            if times:
                share[weigher.name] = times * (score - least) / span
    return shares
