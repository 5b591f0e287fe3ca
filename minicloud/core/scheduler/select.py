"""Choosing a host: Placement's candidates, filters, weighers, in this order, with a note for each step."""

import zlib
from collections.abc import Callable, Collection, Sequence

import msgspec

from minicloud.base import trace
from minicloud.base.errors import Invalid, NotFound, NoValidHost
from minicloud.core.placement import allocation_candidates, resource_classes, traits
from minicloud.core.placement.allocation_candidates import Amounts, Candidate, Group, Request
from minicloud.core.placement.index import Picture, Placement
from minicloud.core.scheduler.filters import all_filters
from minicloud.core.scheduler.hosts import Directory, HostState, KnownHosts, read_directory, state_of
from minicloud.core.scheduler.request import RequestSpec, groups_of, isolates
from minicloud.core.scheduler.verdict import Filter, Weigher
from minicloud.core.scheduler.weighers import all_weighers, weigh
from minicloud.engines.database import Transaction

NOTED = 64
"""Up to so many hosts each verdict and weight is noted; beyond, counts and the first examples."""
EXAMPLES = 8
NOT_ENOUGH = "No valid host was found. There are not enough hosts available."


class SchedulerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Settings, by Nova's names where it has them. ``max_placement_results``: how many candidates are looked at."""

    enabled_filters: tuple[str, ...] = ("ComputeFilter", "AvailabilityZoneFilter")
    ram_weight_multiplier: float = 1.0
    cpu_weight_multiplier: float = 1.0
    disk_weight_multiplier: float = 1.0
    max_placement_results: int = 1000
    alternates: int = 2


class HostChoice(msgspec.Struct, frozen=True, kw_only=True):
    """A host for the server. ``allocations``, by provider and class, are what is to be claimed there."""

    host: str
    node: str
    provider_id: str
    zone: str
    allocations: dict[str, Amounts]
    score: float


def select_hosts(
    tx: Transaction,
    placement: Placement,
    request: RequestSpec,
    *,
    is_up: Callable[[str], bool],
    options: SchedulerOptions,
    known: KnownHosts | None = None,
) -> list[HostChoice]:
    """The best host for a server first, then alternates.

    ``is_up`` tells of a host whether its service reports. Without ``known`` all hosts are read from the tables each time.
    Raises NoValidHost with the reason; Invalid for extra specs or settings that cannot be read.
    """
    picture = placement.picture(tx)
    directory = read_directory(tx) if known is None else known.directory(tx)
    groups = groups_of(request)
    candidates = _candidates(tx, picture, directory, request, groups, options)
    hosts, by_provider = _hosts(picture, directory, candidates, request, is_up)
    if request.force_host is None and request.force_node is None:
        hosts = _filtered(hosts, request, _filters(options))
    shares = weigh(hosts, request, _weighers(options))
    totals = [sum(share.values()) for share in shares]
    order = sorted(range(len(hosts)), key=lambda i: (-totals[i], hosts[i].num_instances, hosts[i].host))
    for i in order[: NOTED if len(hosts) <= NOTED else EXAMPLES]:
        trace.note("weigh", host=hosts[i].host, scores=shares[i], total=totals[i])
    chosen = [
        HostChoice(
            host=hosts[i].host,
            node=hosts[i].node,
            provider_id=hosts[i].provider_id,
            zone=hosts[i].zone,
            allocations=by_provider[hosts[i].provider_id].allocations,
            score=totals[i],
        )
        for i in order[: options.alternates + 1]
    ]
    trace.note("selected", host=chosen[0].host, alternates=[choice.host for choice in chosen[1:]], of=len(hosts))
    return chosen


def _candidates(
    tx: Transaction,
    picture: Picture,
    directory: Directory,
    request: RequestSpec,
    groups: dict[str, Group],
    options: SchedulerOptions,
) -> list[Candidate]:
    """What Placement offers. Raises NoValidHost with what was missing."""
    anchors = _anchors(directory, request, many=len(picture) > options.max_placement_results)
    trace.note(
        "placement_request",
        resources=groups[""].resources,
        required=[sorted(names) for group in groups.values() for names in group.required],
        forbidden=sorted(name for group in groups.values() for name in group.forbidden),
        groups=len(groups),
        only=None if anchors is None else len(anchors),
    )
    try:
        for group in groups.values():
            resource_classes.require(tx, list(group.resources))
            traits.require(tx, [*group.forbidden, *(name for names in group.required for name in names)])
    except NotFound as error:
        raise Invalid(
            f"Flavor {request.flavor_name} or its image asks for what nobody knows: {error.message}"
        ) from error
    wanted = Request(
        groups=groups,
        limit=options.max_placement_results,
        isolate=isolates(request),
        anchors=anchors,
        # More hosts than are looked at: each server begins elsewhere, or the first ones would be filled and the rest idle.
        start=zlib.crc32(request.server_id.encode()) if len(picture) > options.max_placement_results else 0,
    )
    found = allocation_candidates.search(picture, wanted)
    if found:
        trace.note("placement_candidates", count=len(found))
        return found
    best = allocation_candidates.best_room(picture, groups[""].resources)
    short = {name: room for name, room in best.items() if room < groups[""].resources[name]}
    trace.note("placement_candidates", count=0, why_none=short or best)
    raise NoValidHost(f"{NOT_ENOUGH[:-1]}: {_missing(request, groups, short, anchors)}.", why_none=short or best)


def _missing(request: RequestSpec, groups: dict[str, Group], short: Amounts, anchors: Collection[str] | None) -> str:
    """In words, why Placement offers nothing."""
    if anchors is not None and not anchors:
        if request.force_host or request.force_node or request.requested_host or request.requested_node:
            return f"there is no compute host {_named(request)}"
        return f"no host is in zone {request.availability_zone}"
    if short:
        return "; ".join(
            f"no host can give {groups[''].resources[name]} {name} (the best could give {room})"
            for name, room in short.items()
        )
    where = f" on {_named(request)}" if _named(request) else ""
    features = sorted({name for group in groups.values() for names in group.required for name in names})
    return f"no host has everything at once{where}" + (f", with the traits {', '.join(features)}" if features else "")


def _named(request: RequestSpec) -> str:
    return request.force_host or request.force_node or request.requested_host or request.requested_node or ""


def _anchors(directory: Directory, request: RequestSpec, *, many: bool) -> Collection[str] | None:
    """The only providers worth asking for. A zone is left to its filter, that can tell why, unless there are so many hosts
    that not all of them are looked at."""
    host = request.force_host or request.requested_host
    node = request.force_node or request.requested_node
    zone = request.availability_zone if many and not host and not node else None
    if not host and not node and not zone:
        return None
    return {
        row.provider_id
        for row in directory.rows.values()
        if (not host or row.host == host) and (not node or row.node == node) and (not zone or row.zone == zone)
    }


def _hosts(
    picture: Picture,
    directory: Directory,
    candidates: Sequence[Candidate],
    request: RequestSpec,
    is_up: Callable[[str], bool],
) -> tuple[list[HostState], dict[str, Candidate]]:
    """The hosts behind the candidates, and for each its first candidate."""
    by_provider: dict[str, Candidate] = {}
    hosts = []
    ignored = set(request.ignored_hosts)
    for candidate in candidates:
        row = directory.rows.get(candidate.anchor)
        if row is None or candidate.anchor in by_provider:
            continue
        if row.host in ignored:
            trace.note("filter", filter="ignored", host=row.host, passed=False, why="was to be left out")
            continue
        by_provider[candidate.anchor] = candidate
        hosts.append(state_of(row, picture[candidate.anchor], is_up))
    if not hosts:
        raise NoValidHost(
            f"{NOT_ENOUGH[:-1]}: of {len(candidates)} that have room none is a compute host that may be used"
            + (f" (left out: {', '.join(sorted(ignored))})." if ignored else ".")
        )
    return hosts, by_provider


def _filtered(hosts: list[HostState], request: RequestSpec, filters: Sequence[Filter]) -> list[HostState]:
    """The hosts that pass all filters. Raises NoValidHost that says which filter refused how many, and why."""
    refused: list[str] = []
    for one in filters:
        passing: list[HostState] = []
        examples: list[dict[str, str]] = []
        few = len(hosts) <= NOTED
        for host in hosts:
            verdict = one.passes(host, request)
            if verdict.passed:
                passing.append(host)
            elif len(examples) < EXAMPLES:
                examples.append({"host": host.host, "why": verdict.why})
            if few:
                trace.note("filter", filter=one.name, host=host.host, passed=verdict.passed, why=verdict.why)
        if not few:
            trace.note(
                "filter", filter=one.name, passed=len(passing), rejected=len(hosts) - len(passing), examples=examples
            )
        if examples:
            told = ", ".join(f"{example['host']} {example['why']}" for example in examples[:3])
            refused.append(f"{one.name} refused {len(hosts) - len(passing)} of {len(hosts)} ({told})")
        if not passing:
            raise NoValidHost(f"{NOT_ENOUGH[:-1]}: {'; '.join(refused)}.", filter=one.name)
        hosts = passing
    return hosts


def _filters(options: SchedulerOptions) -> list[Filter]:
    known = all_filters()
    unknown = [name for name in options.enabled_filters if name not in known]
    if unknown:
        raise Invalid(f"The setting enabled_filters names {', '.join(unknown)}; there are {', '.join(known)}")
    return [known[name] for name in options.enabled_filters]


def _weighers(options: SchedulerOptions) -> list[tuple[Weigher, float]]:
    known = all_weighers()
    return [
        (known["RAMWeigher"], options.ram_weight_multiplier),
        (known["CPUWeigher"], options.cpu_weight_multiplier),
        (known["DiskWeigher"], options.disk_weight_multiplier),
    ]
