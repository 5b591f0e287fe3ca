"""Where a request could go: a pure search over a picture of all providers.

The unsuffixed group may be spread over one tree and what is shared with it; every other group is met by one provider. A
candidate stands at an anchor, a root provider: its parts come from that root's tree and from providers that share with
any member of the tree through an aggregate. Anchors are visited in order of appearance, and nothing is computed beyond
the limit.
"""

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping
from random import Random
from typing import TypeVar

import msgspec

from minicloud.core.placement.index import Picture, Provider

T = TypeVar("T")
MOST_REMEMBERED = 256
"""Different questions of one structure whose suited providers are remembered."""
Amounts = dict[str, int]


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """One group of a request. ``required`` and ``member_of``: of each set at least one; of the others none."""

    resources: Amounts = {}
    required: tuple[frozenset[str], ...] = ()
    forbidden: frozenset[str] = frozenset()
    member_of: tuple[frozenset[str], ...] = ()
    not_member_of: frozenset[str] = frozenset()
    in_tree: str | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for. ``groups`` by suffix; ``isolate``: suffixed groups on different providers; ``same_subtrees``:
    suffixes whose providers must stand under one of them; ``nested`` False: at most one provider of each tree.
    ``anchors``: no other roots than these. ``start``: begin with another root than the first, the same for the same number.
    ``sample``: of more than ``limit`` take not the first but some by chance, the same for the same text.
    """

    groups: Mapping[str, Group]
    limit: int | None = None
    isolate: bool = False
    root_required: frozenset[str] = frozenset()
    root_forbidden: frozenset[str] = frozenset()
    same_subtrees: tuple[frozenset[str], ...] = ()
    nested: bool = True
    anchors: Collection[str] | None = None
    start: int = 0
    sample: str | None = None


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """A way to meet the request: amounts by provider and class, and which providers met which group."""

    anchor: str
    allocations: dict[str, Amounts]
    mappings: dict[str, list[str]]


class _Part(msgspec.Struct, frozen=True):
    """How one group is met: (provider, class, amount) for each amount, and the providers."""

    takes: tuple[tuple[Provider, str, int], ...]
    providers: tuple[str, ...]


def search(picture: Picture, request: Request) -> list[Candidate]:
    """All candidates, or ``limit`` of them."""
    return some(_candidates(picture, request), request)


def some(found: Iterable[T], request: Request) -> list[T]:
    """As many as the request asks for: the first ones, or a sample of them all."""
    if request.sample is None or request.limit is None:
        return list(itertools.islice(found, request.limit))
    whole = list(found)
    return Random(request.sample).sample(whole, min(request.limit, len(whole)))


def involved(picture: Picture, candidates: Iterable[Candidate], *, nested: bool = True) -> list[Provider]:
    """The providers that an answer summarises: whole trees of those in the candidates, or with ``nested`` False only those."""
    ids = dict.fromkeys(provider_id for candidate in candidates for provider_id in candidate.allocations)
    if not nested or not picture.structure.nested:
        return [picture[provider_id] for provider_id in ids]
    roots = dict.fromkeys(picture[provider_id].root_id for provider_id in ids)
    return [picture.at(slot) for root in roots for slot in picture.structure.members[root]]


def _candidates(picture: Picture, request: Request) -> Iterator[Candidate]:
    structure = picture.structure
    for group in request.groups.values():
        if group.in_tree is not None and group.in_tree not in picture:
            return
    alone = by_themselves(picture, request)
    if alone is not None:
        resources = request.groups[""].resources
        yield from (Candidate(provider.id, {provider.id: resources}, {"": [provider.id]}) for provider in alone)
        return
    seen: set[tuple[frozenset[tuple[str, str, int]], tuple[tuple[str, tuple[str, ...]], ...]]] = set()
    roots = (
        list(structure.members) if request.anchors is None else [r for r in structure.members if r in request.anchors]
    )
    for root_id in _turned(roots, request.start):
        root = picture[root_id]
        if not _root_suits(root, request):
            continue
        members = [picture.at(slot) for slot in structure.members[root_id]]
        shared = _shared_with(picture, root_id, members) if structure.sharing else []
        for candidate in _at_anchor(picture, request, root, members, shared):
            if structure.sharing:
                # What only sharing providers meet is met alike at each anchor that they share with.
                key = (
                    frozenset((p, c, n) for p, amounts in candidate.allocations.items() for c, n in amounts.items()),
                    tuple((suffix, tuple(sorted(ids))) for suffix, ids in candidate.mappings.items()),
                )
                if key in seen:
                    continue
                seen.add(key)
            yield candidate


def by_themselves(picture: Picture, request: Request) -> Iterator[Provider] | None:
    """The providers each of which meets the whole request; None where candidates have to be put together of several.

    Nearly always every provider is its own tree and nobody shares. Which of them have the traits and are in the aggregates
    changes rarely and is remembered, so that only amounts are left to compare.
    """
    structure = picture.structure
    if list(request.groups) != [""] or structure.nested or structure.sharing:
        return None
    group = request.groups[""]
    if request.anchors is not None:
        chosen = [found for provider_id in sorted(request.anchors) if (found := picture.get(provider_id)) is not None]
        return _with_room((p for p in _turned(chosen, request.start) if _suits(p, group, request)), group)
    key = (
        group.required,
        group.forbidden,
        group.member_of,
        group.not_member_of,
        group.in_tree,
        request.root_required,
        request.root_forbidden,
    )
    slots = structure.suited.get(key)
    if slots is None:
        if len(structure.suited) >= MOST_REMEMBERED:
            structure.suited.clear()
        slots = [slot for slot in _worth_looking(picture, group) if _suits(picture.at(slot), group, request)]
        structure.suited[key] = slots
    return _with_room(picture.all_at(_turned(slots, request.start)), group)


def _with_room(providers: Iterable[Provider], group: Group) -> Iterator[Provider]:
    """Those of the providers that can give what the group takes."""
    wanted = list(group.resources.items())
    for provider in providers:
        stocks = provider.stocks
        for name, amount in wanted:
            stock = stocks.get(name)
            if stock is None or amount > stock.room or amount < stock.min_unit or amount % stock.step_size:
                break
        else:
            yield provider


def _suits(provider: Provider, group: Group, request: Request) -> bool:
    """Whether a provider that is its own tree has all that is asked for besides amounts."""
    return (
        not any(names.isdisjoint(provider.traits) for names in group.required)
        and group.forbidden.isdisjoint(provider.traits)
        and _in_aggregates(provider, group)
        and group.not_member_of.isdisjoint(provider.aggregates)
        and (group.in_tree is None or provider.id == group.in_tree)
        and _root_suits(provider, request)
    )


def _worth_looking(picture: Picture, group: Group) -> list[int]:
    """The slots worth looking at: those in the smallest of the required sets of aggregates, or all."""
    structure = picture.structure
    if not group.member_of:
        return [slot for slots in structure.members.values() for slot in slots]
    choices: list[set[int]] = [
        {slot for name in names for slot in structure.aggregates.get(name, ())} for names in group.member_of
    ]
    smallest: set[int] = min(choices, key=len)
    return sorted(smallest)


def _turned(items: list[T], start: int) -> list[T]:
    """The same in the same order, beginning elsewhere."""
    at = start % len(items) if items else 0
    return items[at:] + items[:at] if at else items


def _root_suits(root: Provider, request: Request) -> bool:
    return request.root_required <= root.traits and request.root_forbidden.isdisjoint(root.traits)


def _shared_with(picture: Picture, root_id: str, members: list[Provider]) -> list[Provider]:
    """Providers of other trees that share with a member of this one."""
    aggregates = frozenset().union(*(member.aggregates for member in members))
    sharing = [picture.at(slot) for slot in picture.structure.sharing]
    return [p for p in sharing if p.root_id != root_id and not aggregates.isdisjoint(p.aggregates)]


def _at_anchor(
    picture: Picture, request: Request, root: Provider, members: list[Provider], shared: list[Provider]
) -> Iterator[Candidate]:
    """The candidates that stand at one root."""
    options: list[list[_Part]] = []
    for suffix, group in request.groups.items():
        parts = list(
            _single(picture, group, members, shared) if suffix else _spread(picture, group, root, members, shared)
        )
        if not parts:
            return
        options.append(parts)
    for parts in _fitting(options, []):
        mappings = {suffix: list(part.providers) for suffix, part in zip(request.groups, parts, strict=True)}
        if request.isolate and not _isolated(mappings):
            continue
        if not all(_one_subtree(picture, mappings, suffixes) for suffixes in request.same_subtrees):
            continue
        allocations: dict[str, Amounts] = {}
        for part in parts:
            for provider, name, amount in part.takes:
                amounts = allocations.setdefault(provider.id, {})
                amounts[name] = amounts.get(name, 0) + amount
        if not request.nested and len({picture[p].root_id for p in allocations}) != len(allocations):
            continue
        yield Candidate(root.id, allocations, mappings)


def _fitting(options: list[list[_Part]], chosen: list[_Part]) -> Iterator[list[_Part]]:
    """One part of each group, in all combinations that no provider refuses; a branch ends where it no longer fits."""
    if len(chosen) == len(options):
        yield chosen
        return
    for part in options[len(chosen)]:
        extended = [*chosen, part]
        if not chosen or _fit_together(extended):
            yield from _fitting(options, extended)


def _fit_together(parts: list[_Part]) -> bool:
    """Whether amounts of one class that several groups take from one provider are there together, within ``max_unit``."""
    sums: dict[tuple[str, str], int] = {}
    for part in parts:
        for provider, name, amount in part.takes:
            total = sums.get((provider.id, name), 0) + amount
            sums[provider.id, name] = total
            if total > provider.stocks[name].room:
                return False
    return True


def _spread(
    picture: Picture, group: Group, root: Provider, members: list[Provider], shared: list[Provider]
) -> Iterator[_Part]:
    """How the unsuffixed group is met at an anchor: each class from any member of the tree, or from who shares with it."""
    if group.in_tree is not None:
        if picture[group.in_tree].root_id != root.id:
            return
        shared = []
    rooted = _in_aggregates(root, group)
    if group.not_member_of and not group.not_member_of.isdisjoint(root.aggregates):
        return
    usable = [p for p in members if rooted or _in_aggregates(p, group)]
    usable += [p for p in shared if _in_aggregates(p, group)]
    usable = [
        p for p in usable if group.not_member_of.isdisjoint(p.aggregates) and group.forbidden.isdisjoint(p.traits)
    ]
    choices = [
        [(p, name, amount) for p in usable if (stock := p.stocks.get(name)) is not None and stock.fits(amount)]
        for name, amount in group.resources.items()
    ]
    for takes in itertools.product(*choices):
        traits = frozenset().union(*(p.traits for p, _, _ in takes)) if group.required else frozenset()
        if not any(names.isdisjoint(traits) for names in group.required):
            yield _Part(takes, tuple(dict.fromkeys(p.id for p, _, _ in takes)))


def _single(picture: Picture, group: Group, members: list[Provider], shared: list[Provider]) -> Iterator[_Part]:
    """How a suffixed group is met at an anchor: by one provider, alone."""
    for provider in [*members, *shared]:
        if alone(picture, group, provider):
            yield _Part(tuple((provider, name, amount) for name, amount in group.resources.items()), (provider.id,))


def alone(picture: Picture, group: Group, provider: Provider) -> bool:
    """Whether a provider by itself meets a group."""
    return (
        (group.in_tree is None or provider.root_id == picture[group.in_tree].root_id)
        and not any(names.isdisjoint(provider.traits) for names in group.required)
        and group.forbidden.isdisjoint(provider.traits)
        and _in_aggregates(provider, group)
        and group.not_member_of.isdisjoint(provider.aggregates)
        and all(
            (stock := provider.stocks.get(name)) is not None and stock.fits(amount)
            for name, amount in group.resources.items()
        )
    )


def _in_aggregates(provider: Provider, group: Group) -> bool:
    return not any(names.isdisjoint(provider.aggregates) for names in group.member_of)


def _isolated(mappings: Mapping[str, list[str]]) -> bool:
    """Whether every suffixed group has a provider of its own."""
    single = [ids[0] for suffix, ids in mappings.items() if suffix]
    return len(set(single)) == len(single)


def _one_subtree(picture: Picture, mappings: Mapping[str, list[str]], suffixes: frozenset[str]) -> bool:
    """Whether one of the providers of these groups stands above all the others."""
    ids = {provider_id for suffix in suffixes for provider_id in mappings[suffix]}
    above = [_ancestry(picture, provider_id) for provider_id in ids]
    return any(all(provider_id in ancestry for ancestry in above) for provider_id in ids)


def _ancestry(picture: Picture, provider_id: str | None) -> set[str]:
    found: set[str] = set()
    while provider_id is not None:
        found.add(provider_id)
        provider_id = picture[provider_id].parent_id
    return found
