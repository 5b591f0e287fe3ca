"""Candidates: the search against one that is slow and obviously right, on random trees, and a few told by hand."""

import itertools
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minicloud.core.placement.allocation_candidates import Candidate, Group, Request, involved, search
from minicloud.core.placement.index import Picture, Provider, picture_of, stock
from minicloud.core.placement.names import SHARES

CLASSES = ["VCPU", "MEMORY_MB", "CUSTOM_X"]
TRAITS = ["HW_A", "HW_B", SHARES]
AGGREGATES = ["one", "two"]


def a_provider(
    name: str,
    parent: Provider | None = None,
    stocks: dict[str, Any] | None = None,
    traits: tuple[str, ...] = (),
    aggregates: tuple[str, ...] = (),
) -> Provider:
    """A provider with stocks given as a total, or as (total, reserved, min, max, step, ratio, used)."""
    made = {
        resource_class: stock(*(amounts if isinstance(amounts, tuple) else (amounts, 0, 1, 2**31 - 1, 1, 1.0, 0)))
        for resource_class, amounts in (stocks or {}).items()
    }
    return Provider(
        id=name,
        name=name,
        generation=0,
        parent_id=None if parent is None else parent.id,
        root_id=name if parent is None else parent.root_id,
        stocks=made,
        traits=frozenset(traits),
        aggregates=frozenset(aggregates),
        consumers=0,
        created_at="",
        updated_at="",
    )


def slowly(picture: Picture, request: Request) -> set[Any]:
    """Every assignment of every amount to every provider, at every anchor, kept if it breaks no rule."""
    everyone = picture.providers()
    found = set()
    for anchor in everyone:
        if anchor.parent_id is not None or not request.root_required <= anchor.traits:
            continue
        if request.root_forbidden & anchor.traits:
            continue
        tree = [p for p in everyone if p.root_id == anchor.id]
        near = frozenset(a for p in tree for a in p.aggregates)
        sharers = [p for p in everyone if p.root_id != anchor.id and SHARES in p.traits and p.aggregates & near]
        choices = []
        for suffix, group in request.groups.items():
            names = list(group.resources)
            every: list[tuple[Provider, ...]]
            if suffix:
                every = [(p,) * len(names) for p in tree + sharers]
                homes = tree + sharers
            else:
                every = list(itertools.product(tree + sharers, repeat=len(names)))
                homes = [anchor] * len(every)
            good = []
            for assigned, home in zip(every, homes, strict=True):
                used = list({p.id: p for p in assigned or (home,)}.values())
                if all(
                    name in p.stocks
                    and p.stocks[name].used + group.resources[name] <= p.stocks[name].capacity
                    and p.stocks[name].min_unit <= group.resources[name] <= p.stocks[name].max_unit
                    and group.resources[name] % p.stocks[name].step_size == 0
                    for name, p in zip(names, assigned, strict=True)
                ) and _allowed(picture, group, suffix, anchor, used):
                    good.append((suffix, tuple(zip(names, assigned, strict=True)), frozenset(p.id for p in used)))
            choices.append(good)
        for combination in itertools.product(*choices):
            sums: dict[tuple[str, str], int] = {}
            for suffix, takes, _ in combination:
                for name, p in takes:
                    sums[p.id, name] = sums.get((p.id, name), 0) + request.groups[suffix].resources[name]
            if any(
                n + picture[p].stocks[c].used > picture[p].stocks[c].capacity or n > picture[p].stocks[c].max_unit
                for (p, c), n in sums.items()
            ):
                continue
            single = [used for suffix, _, used in combination if suffix]
            if request.isolate and len(frozenset().union(*single)) != len(single):
                continue
            if not all(
                _together(picture, frozenset().union(*(used for suffix, _, used in combination if suffix in suffixes)))
                for suffixes in request.same_subtrees
            ):
                continue
            givers = {p for p, _ in sums}
            if not request.nested and len({picture[p].root_id for p in givers}) != len(givers):
                continue
            found.add(
                (frozenset((p, c, n) for (p, c), n in sums.items()), frozenset((s, u) for s, _, u in combination))
            )
    return found


def _allowed(picture: Picture, group: Group, suffix: str, anchor: Provider, used: list[Provider]) -> bool:
    tree = None if group.in_tree is None else picture[group.in_tree].root_id
    if tree is not None and any(p.root_id != tree for p in used):
        return False
    if any(group.forbidden & p.traits or group.not_member_of & p.aggregates for p in used):
        return False
    if suffix:
        return all(names & p.traits for p in used for names in group.required) and all(
            names & p.aggregates for p in used for names in group.member_of
        )
    if group.not_member_of & anchor.aggregates or (tree is not None and anchor.id != tree):
        return False
    for p in used:
        own = all(names & p.aggregates for names in group.member_of)
        of_the_root = p.root_id == anchor.id and all(names & anchor.aggregates for names in group.member_of)
        if not own and not of_the_root:
            return False
    together = frozenset(t for p in used for t in p.traits)
    return all(names & together for names in group.required)


def _together(picture: Picture, ids: frozenset[str]) -> bool:
    def above(name: str) -> set[str]:
        parent = picture[name].parent_id
        return {name} | (above(parent) if parent else set())

    return any(all(top in above(name) for name in ids) for top in ids)


def as_set(candidates: list[Candidate]) -> set[Any]:
    return {
        (
            frozenset((p, c, n) for p, amounts in candidate.allocations.items() for c, n in amounts.items()),
            frozenset((suffix, frozenset(ids)) for suffix, ids in candidate.mappings.items()),
        )
        for candidate in candidates
    }


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    providers: list[Provider] = []
    for i in range(draw(st.integers(1, 6))):
        parent = draw(st.sampled_from([None, None, *providers]))
        stocks = {
            name: (
                draw(st.integers(1, 8)),
                draw(st.integers(0, 1)),
                draw(st.integers(1, 2)),
                draw(st.integers(2, 8)),
                draw(st.sampled_from([1, 1, 2])),
                draw(st.sampled_from([1.0, 1.5])),
                draw(st.integers(0, 3)),
            )
            for name in CLASSES
            if draw(st.booleans())
        }
        traits = tuple(name for name in TRAITS if draw(st.integers(0, 2)) == 0)
        aggregates = tuple(name for name in AGGREGATES if draw(st.booleans()))
        providers.append(a_provider(f"p{i}", parent, stocks, traits, aggregates))
    return picture_of(providers)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    names = st.sampled_from(TRAITS[:2])
    some = st.lists(st.frozensets(names, min_size=1), max_size=1).map(tuple)
    grouped = st.lists(st.frozensets(st.sampled_from(AGGREGATES), min_size=1), max_size=1).map(tuple)
    groups = {}
    suffixes = draw(st.sampled_from([[""], ["", "1"], ["1", "2"], ["", "_a", "_b"]]))
    for suffix in suffixes:
        groups[suffix] = Group(
            resources=draw(st.dictionaries(st.sampled_from(CLASSES), st.integers(1, 4), min_size=1, max_size=2)),
            required=draw(some),
            forbidden=draw(st.frozensets(names, max_size=1)) if draw(st.booleans()) else frozenset(),
            member_of=draw(grouped),
            not_member_of=draw(st.frozensets(st.sampled_from(AGGREGATES), max_size=1))
            if draw(st.integers(0, 3)) == 0
            else frozenset(),
            in_tree=draw(st.sampled_from([None, None, None, "p0"])),
        )
    single = frozenset(suffix for suffix in suffixes if suffix)
    return Request(
        groups=groups,
        isolate=draw(st.booleans()),
        root_required=draw(st.sampled_from([frozenset(), frozenset(), frozenset(["HW_A"])])),
        root_forbidden=draw(st.sampled_from([frozenset(), frozenset(), frozenset(["HW_B"])])),
        same_subtrees=(single,) if single and draw(st.booleans()) else (),
        nested=draw(st.booleans()),
    )


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pictures(), requests())
def test_the_search_finds_what_a_slow_one_finds(picture: Picture, request: Request) -> None:
    found = search(picture, request)
    assert as_set(found) == slowly(picture, request)
    assert len(as_set(found)) == len(found), "a candidate was found twice"
    limited = search(picture, Request(groups=request.groups, limit=2))
    assert limited == search(picture, Request(groups=request.groups))[:2]


def test_amounts_of_one_class_are_shared_out_over_what_is_left_of_a_provider() -> None:
    root = a_provider("node")
    function = a_provider("nic", root, {"SRIOV_NET_VF": 3})
    group = Group(resources={"SRIOV_NET_VF": 2})
    picture = picture_of([root, function])
    assert search(picture, Request(groups={"1": group})) == [
        Candidate("node", {"nic": {"SRIOV_NET_VF": 2}}, {"1": ["nic"]})
    ]
    assert search(picture, Request(groups={"1": group, "2": group})) == []


def test_a_disk_that_is_shared_is_offered_to_each_node_of_its_aggregate() -> None:
    nodes = [a_provider(f"node{i}", None, {"VCPU": 4}, (), ("rack",)) for i in range(2)]
    far = a_provider("far", None, {"VCPU": 4})
    disk = a_provider("disk", None, {"DISK_GB": 100}, (SHARES,), ("rack",))
    picture = picture_of([*nodes, far, disk])
    found = search(picture, Request(groups={"": Group(resources={"VCPU": 1, "DISK_GB": 10})}))
    assert [candidate.allocations for candidate in found] == [
        {"node0": {"VCPU": 1}, "disk": {"DISK_GB": 10}},
        {"node1": {"VCPU": 1}, "disk": {"DISK_GB": 10}},
    ]
    assert {provider.id for provider in involved(picture, found)} == {"node0", "node1", "disk"}
