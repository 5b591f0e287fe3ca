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


class Weights:
    """What every weigher says of each host, and the sums; by their places in the list."""

    def __init__(self, count: int) -> None:
        self.totals: list[float] = [0] * count
        self._said: list[tuple[str, list[float | None]]] = []

    def add(self, name: str, shares: list[float | None]) -> None:
        """A weigher's shares; None: it has no say about that host."""
        self._said.append((name, shares))
        self.totals = [
            total if share is None else total + share for total, share in zip(self.totals, shares, strict=True)
        ]

    def shares(self, place: int) -> dict[str, float]:
        """The share of each weigher in one host's weight."""
        return {name: share for name, shares in self._said if (share := shares[place]) is not None}


def weigh(hosts: Sequence[HostState], request: RequestSpec, weighers: Sequence[tuple[Weigher, float]]) -> Weights:
    """For each host its weight, and the share of each weigher in it.

    Scores go from 0 for the worst of these hosts (or the weigher's own ``floor``) to 1 for the best, times the multiplier:
    the setting's, or the least that an aggregate of the host sets. Where all are alike a weigher has no say, and is left out. A
    negative multiplier turns it round, 0 switches it off.
    """
    found = Weights(len(hosts))
    own = any(host.described.multipliers for host in hosts)
    for weigher, multiplier in weighers:
        if not multiplier and not own:
            continue
        scores = weigher.scores(hosts, request)
        if scores is None:
            continue
        floor: float | None = getattr(weigher, "floor", None)
        least = min(scores) if floor is None else floor
        span = max(scores) - least
        if not span:
            continue
        if own:
            times = [host.described.multipliers.get(weigher.setting, multiplier) for host in hosts]
            found.add(
                weigher.name,
                [by * (score - least) / span if by else None for by, score in zip(times, scores, strict=True)],
            )
        else:
            found.add(weigher.name, [multiplier * (score - least) / span for score in scores])
    return found
