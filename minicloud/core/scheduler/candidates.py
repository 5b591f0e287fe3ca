"""Asking Placement: the candidates of a request, and when there are none, what was missing and where."""

import zlib
from collections.abc import Collection, Sequence
from itertools import islice

import msgspec

from minicloud.base import trace
from minicloud.base.errors import Invalid, NotFound, NoValidHost
from minicloud.core.placement import allocation_candidates, resource_classes, traits
from minicloud.core.placement.allocation_candidates import Amounts, Candidate, Group, Request
from minicloud.core.placement.index import Picture, Provider
from minicloud.core.scheduler.hosts import Directory
from minicloud.core.scheduler.options import SchedulerOptions
from minicloud.core.scheduler.prefilters import Narrowed, narrow, narrowed
from minicloud.core.scheduler.request import RequestSpec, groups_of, isolates
from minicloud.engines.database import Transaction

NOT_ENOUGH = "No valid host was found. There are not enough hosts available."
EXAMPLES = 8


class Offers(msgspec.Struct, frozen=True):
    """What Placement offers: the providers that candidates stand at, and what is to be claimed at each.

    ``whole``: every provider gives all of it by itself, as nearly always; else ``candidates`` tell, the first of a provider.
    """

    providers: Sequence[Provider]
    whole: Amounts | None = None
    candidates: Sequence[Candidate] = ()

    def allocations(self, provider_id: str) -> dict[str, Amounts]:
        """By provider and class, what to claim for a server that goes to the host of this provider."""
        if self.whole is not None:
            return {provider_id: self.whole}
        return next(one.allocations for one in self.candidates if one.anchor == provider_id)


def candidates_of(
    tx: Transaction, picture: Picture, directory: Directory, request: RequestSpec, options: SchedulerOptions
) -> Offers:
    """What Placement offers. Raises NoValidHost with what was missing; Invalid for classes and traits that nobody knows."""
    groups = groups_of(request)
    besides = narrowed(request, directory.aggregates, options)
    groups[""] = narrow(groups[""], besides)
    many = len(picture) > options.max_placement_results
    anchors = _anchors(directory, request, many=many)
    if directory.disabled:
        told = [{"host": row.host, "why": row.disabled_reason or ""} for row in directory.disabled[:EXAMPLES]]
        trace.note("prefilter", prefilter="compute_status", disabled=told, of=len(directory.disabled))
    trace.note(
        "placement_request",
        resources=groups[""].resources,
        required=[sorted(names) for group in groups.values() for names in group.required]
        + [[name] for name in sorted(besides.root_required)],
        forbidden=sorted(name for group in groups.values() for name in group.forbidden),
        groups=len(groups),
        only=None if anchors is None else len(anchors),
    )
    _expect_known(tx, request, groups)
    wanted = Request(
        groups=groups,
        limit=options.max_placement_results,
        isolate=isolates(request),
        root_required=besides.root_required,
        root_forbidden=besides.root_forbidden,
        anchors=anchors,
        # More hosts than are looked at: each server begins elsewhere, or the first ones would be filled and the rest idle.
        start=zlib.crc32(request.server_id.encode()) if many else 0,
    )
    found = _offers(picture, wanted)
    if found.providers:
        trace.note("placement_candidates", count=len(found.candidates) or len(found.providers))
        return found
    best, usable = _room(picture, groups[""], besides, anchors)
    short = {name: room for name, room in best.items() if room < groups[""].resources[name]}
    trace.note("placement_candidates", count=0, why_none=short or best)
    if not usable:
        why = _nobody(request, directory, besides, anchors)
    else:
        why = _missing(request, groups, short, besides)
    raise NoValidHost(f"{NOT_ENOUGH[:-1]}: {why}{left_out(directory)}.", why_none=short or best)


def _offers(picture: Picture, wanted: Request) -> Offers:
    alone = allocation_candidates.by_themselves(picture, wanted)
    if alone is not None:
        return Offers(list(islice(alone, wanted.limit)), wanted.groups[""].resources)
    found = allocation_candidates.search(picture, wanted)
    return Offers([picture[anchor] for anchor in dict.fromkeys(one.anchor for one in found)], None, found)


def left_out(directory: Directory) -> str:
    """A clause for hosts that were never looked at because they are disabled; empty without any."""
    if not directory.disabled:
        return ""
    told = ", ".join(
        f"{row.host} is disabled ({row.disabled_reason or 'no reason given'})" for row in directory.disabled[:3]
    )
    more = f", {len(directory.disabled) - 3} more" if len(directory.disabled) > 3 else ""
    return f"; not looked at: {told}{more}"


def named(request: RequestSpec) -> str:
    """The host or node that the request names."""
    return request.force_host or request.force_node or request.requested_host or request.requested_node or ""


def _expect_known(tx: Transaction, request: RequestSpec, groups: dict[str, Group]) -> None:
    try:
        for group in groups.values():
            resource_classes.require(tx, list(group.resources))
            traits.require(tx, [*group.forbidden, *(name for names in group.required for name in names)])
    except NotFound as error:
        raise Invalid(
            f"Flavor {request.flavor_name} or its image asks for what nobody knows: {error.message}"
        ) from error


def _room(picture: Picture, group: Group, besides: Narrowed, anchors: Collection[str] | None) -> tuple[Amounts, int]:
    """For each class the most that one of the providers that may be meant could still give; and how many those are."""
    best, usable = dict.fromkeys(group.resources, 0), 0
    for provider in picture.providers():
        if anchors is not None and provider.root_id not in anchors:
            continue
        if not _meant(picture, provider, besides):
            continue
        usable += 1
        for name in best:
            stock = provider.stocks.get(name)
            if stock is not None and stock.room > best[name]:
                best[name] = stock.room
    return best, usable


def _meant(picture: Picture, provider: Provider, besides: Narrowed) -> bool:
    root = picture.get(provider.root_id) or provider
    return (
        besides.root_forbidden.isdisjoint(root.traits)
        and besides.root_required <= root.traits
        and not any(names.isdisjoint(root.aggregates) for names in besides.member_of)
        and besides.barred.isdisjoint(root.aggregates)
    )


def _nobody(request: RequestSpec, directory: Directory, besides: Narrowed, anchors: Collection[str] | None) -> str:
    """In words, why no host may be meant at all."""
    if anchors is not None and not anchors:
        return f"there is no compute host {named(request)}" if named(request) else _no_zone(request)
    if besides.root_required:
        return f"no host has the traits {', '.join(sorted(besides.root_required))}"
    if besides.member_of and request.availability_zone:
        return _no_zone(request)
    if besides.by_aggregates:
        return "no host is in the aggregates that the request is restricted to"
    return "no compute host is enabled" if directory.disabled else "there are no compute hosts"


def _no_zone(request: RequestSpec) -> str:
    return f"no host that may be used is in zone {request.availability_zone}"


def _missing(request: RequestSpec, groups: dict[str, Group], short: Amounts, besides: Narrowed) -> str:
    """In words, why Placement offers nothing although there are hosts."""
    zone = f" in zone {request.availability_zone}" if besides.member_of and request.availability_zone else ""
    if short:
        return "; ".join(
            f"no host{zone} can give {groups[''].resources[name]} {name} (the best could give {room})"
            for name, room in short.items()
        )
    where = f" on {named(request)}" if named(request) else ""
    features = sorted({name for group in groups.values() for names in group.required for name in names})
    return f"no host{zone} has everything at once{where}" + (
        f", with the traits {', '.join(features)}" if features else ""
    )


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
