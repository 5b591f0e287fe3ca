"""Choosing a host: Placement's candidates, filters, weighers, in this order, with a note for each step."""

import functools
import zlib
from collections.abc import Callable, Iterable, Sequence

import msgspec

from minicloud.base import trace
from minicloud.base.errors import Invalid, NoValidHost
from minicloud.core.placement.allocation_candidates import Amounts
from minicloud.core.placement.index import Placement
from minicloud.core.scheduler import occupancy, seats
from minicloud.core.scheduler.candidates import EXAMPLES, NOT_ENOUGH, Offers, candidates_of, left_out
from minicloud.core.scheduler.company import company_of
from minicloud.core.scheduler.filters import all_filters
from minicloud.core.scheduler.hosts import PLAIN, Directory, HostState, KnownHosts
from minicloud.core.scheduler.options import SchedulerOptions
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.seats import Seat
from minicloud.core.scheduler.verdict import Filter, Weigher
from minicloud.core.scheduler.weighers import all_weighers, weigh
from minicloud.core.scheduler.workload import workload
from minicloud.engines.database import Transaction

NOTED = 64
"""Up to so many hosts each verdict and weight is noted; beyond, counts and the first examples."""
ALTERNATES = 2
"""How many hosts beside the chosen one are told of: as many as a create may yet try."""
LATE = (
    "NUMATopologyFilter",
    "PciPassthroughFilter",
    "ServerGroupAntiAffinityFilter",
    "ServerGroupAffinityFilter",
)
"""Filters that a forced host must pass, too: what they refuse could not be, or must not be, whoever asks for it."""


class HostChoice(msgspec.Struct, frozen=True, kw_only=True):
    """A host for the server. ``allocations``, by provider and class, are what is to be claimed there; ``seat`` says on which of
    its CPUs, pages and devices."""

    host: str
    node: str
    provider_id: str
    zone: str
    allocations: dict[str, Amounts]
    score: float
    seat: Seat | None = None


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
    known = known or KnownHosts()
    directory = known.directory(tx)
    offers = candidates_of(tx, picture, directory, request, options)
    request = msgspec.structs.replace(
        request,
        company=company_of(tx, request.server_id, request.hints),
        workload=workload(tx, request.image_id, options),
    )
    hosts = _hosts(tx, directory, known, offers, request, is_up, options)
    forced = request.force_host is not None or request.force_node is not None
    hosts = _filtered(hosts, request, _filters(LATE if forced else options.enabled_filters, options), directory)
    weights = weigh(hosts, request, _weighers(options))
    totals = weights.totals
    noted = len(hosts) if len(hosts) <= NOTED else EXAMPLES
    order = _best(hosts, totals, max(noted, options.host_subset_size, ALTERNATES + 1))
    for i in order[:noted]:
        trace.note("weigh", host=hosts[i].host, scores=weights.shares(i), total=totals[i])
    subset = min(options.host_subset_size, len(order))
    if subset > 1:
        # Any of the best few; always the same one for the same server.
        order.insert(0, order.pop(zlib.crc32(request.server_id.encode()) % subset))
    chosen = [
        HostChoice(
            host=hosts[i].host,
            node=hosts[i].node,
            provider_id=hosts[i].provider_id,
            zone=hosts[i].zone,
            allocations=offers.allocations(hosts[i].provider_id),
            score=totals[i],
            seat=_seat(hosts[i], request),
        )
        for i in order[: ALTERNATES + 1]
    ]
    trace.note("selected", host=chosen[0].host, alternates=[choice.host for choice in chosen[1:]], of=len(hosts))
    return chosen


def _best(hosts: Sequence[HostState], totals: Sequence[float], count: int) -> list[int]:
    """The places of the best hosts, at least so many if there are: by weight, then fewest servers, then name."""
    places: Iterable[int] = range(len(hosts))
    if count < len(hosts):
        # Only those that can be among them are put in order.
        enough = sorted(totals, reverse=True)[count - 1]
        places = [i for i, total in enumerate(totals) if total >= enough]
    return sorted(places, key=lambda i: (-totals[i], hosts[i].num_instances, hosts[i].host))


def _seat(host: HostState, request: RequestSpec) -> Seat | None:
    if request.topology is None and not request.devices:
        return None
    found = seats.seat(host, request)
    if isinstance(found, str):
        raise NoValidHost(f"{NOT_ENOUGH[:-1]}: {host.host} {found}.")
    return found


def _hosts(
    tx: Transaction,
    directory: Directory,
    known: KnownHosts,
    offers: Offers,
    request: RequestSpec,
    is_up: Callable[[str], bool],
    options: SchedulerOptions,
) -> list[HostState]:
    """The hosts behind what Placement offers."""
    hosts = []
    ignored = set(request.ignored_hosts)
    particular = request.topology is not None or bool(request.devices)
    weighed = directory.has_devices and options.pci_weight_multiplier != 0
    taken = occupancy.all_occupied(tx) if particular or weighed else {}
    described, work = directory.described, request.workload
    for provider in offers.providers:
        row = directory.rows.get(provider.id)
        if row is None:
            continue
        if row.host in ignored:
            trace.note("filter", filter="ignored", host=row.host, passed=False, why="was to be left out")
            continue
        plain = described.get(row.host, PLAIN)
        hosts.append(known.state(row, provider, is_up(row.host), plain, work, taken.get(row.host)))
    if not hosts:
        raise NoValidHost(
            f"{NOT_ENOUGH[:-1]}: of {len(offers.providers)} that have room none is a compute host that may be used"
            + (f" (left out: {', '.join(sorted(ignored))})" if ignored else "")
            + f"{left_out(directory)}."
        )
    return hosts


def _filtered(
    hosts: list[HostState], request: RequestSpec, filters: Sequence[Filter], directory: Directory
) -> list[HostState]:
    """The hosts that pass all filters. Raises NoValidHost that says which filter refused how many, and why."""
    refused: list[str] = []
    for one in filters:
        passing: list[HostState] = []
        examples: list[dict[str, str]] = []
        few = len(hosts) <= NOTED
        for host in hosts:
            verdict = one.passes(host, request)
            if verdict.for_all and not few:
                passing = hosts
                break
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
            raise NoValidHost(f"{NOT_ENOUGH[:-1]}: {'; '.join(refused)}{left_out(directory)}.", filter=one.name)
        hosts = passing
    return hosts


@functools.cache
def _filters(names: tuple[str, ...], options: SchedulerOptions) -> tuple[Filter, ...]:
    known = all_filters(options)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Invalid(f"The setting enabled_filters names {', '.join(unknown)}; there are {', '.join(known)}")
    return tuple(known[name] for name in names)


@functools.cache
def _weighers(options: SchedulerOptions) -> tuple[tuple[Weigher, float], ...]:
    weighers = all_weighers(options).values()
    silent = {"MetricsWeigher"} if not options.metrics_weight_setting else set()
    return tuple((one, getattr(options, one.setting)) for one in weighers if one.name not in silent)
