"""Weighers, one to a file, by Nova's names; and how their scores are put together."""

from collections.abc import Mapping, Sequence

from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Weigher
from minicloud.core.scheduler.weighers.cpu import CPUWeigher
from minicloud.core.scheduler.weighers.disk import DiskWeigher
from minicloud.core.scheduler.weighers.ram import RAMWeigher


def all_weighers() -> Mapping[str, Weigher]:
    """Every weigher by name."""
    weighers: list[Weigher] = [RAMWeigher(), CPUWeigher(), DiskWeigher()]
    return {one.name: one for one in weighers}


def weigh(
    hosts: Sequence[HostState], request: RequestSpec, weighers: Sequence[tuple[Weigher, float]]
) -> list[dict[str, float]]:
    """For each host the share of each weigher in its weight.

    Scores go from 0 for the worst of these hosts to 1 for the best, times the weigher's multiplier; where all are alike a
    weigher has no say. A negative multiplier turns it round, 0 switches it off.
    """
    shares: list[dict[str, float]] = [{} for _ in hosts]
    for weigher, multiplier in weighers:
        if not multiplier:
            continue
        scores = [weigher.score(host, request) for host in hosts]
        least, span = min(scores), max(scores) - min(scores)
        for share, score in zip(shares, scores, strict=True):
            share[weigher.name] = multiplier * (score - least) / span if span else 0.0
    return shares
