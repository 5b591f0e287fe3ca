"""Listings: what a query string asks for, what is refused, where the next page is, and pages that leave nothing out."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicloud.api.listing import Listing, Page, equal, flag, number, read_page, truth
from minicloud.base.errors import Invalid
from minicloud.core import records
from minicloud.core.compute.flavors import Flavor
from minicloud.core.records import Condition
from minicloud.engines.database import Transaction
from minicloud.engines.database.inline import InlineDatabase

pytestmark = pytest.mark.anyio
HERE = "http://cloud.test/compute/v2.1/things"


THINGS = Listing(
    name="things",
    sort_keys={"id": "flavorid", "name": "name", "size": "vcpus", "note": "description"},
    sort=[("name", False), ("flavorid", False)],
    filters={"name": equal("name"), "public": flag("is_public"), "size": number("vcpus")},
    largest=50,
    default_limit=50,
)


def page(query: str = "", listing: Listing = THINGS) -> Page:
    return read_page(listing, parse_qsl(query, keep_blank_values=True), base=HERE)


def test_without_a_word_the_listing_says_how() -> None:
    found = page()
    assert (found.query.sort, found.limit, found.query.limit) == ([("name", False), ("flavorid", False)], 50, 51)
    assert (found.query.where, found.query.marker) == ([], None)


@pytest.mark.parametrize(
    ("query", "sort"),
    [
        ("sort_key=size", [("vcpus", False)]),
        ("sort_key=size&sort_dir=desc", [("vcpus", True)]),
        ("sort_key=size&sort_key=name&sort_dir=desc", [("vcpus", True), ("name", True)]),
        ("sort_key=size&sort_key=name&sort_dir=desc&sort_dir=asc", [("vcpus", True), ("name", False)]),
        ("sort=size:desc,name", [("vcpus", True), ("name", False)]),
        ("sort=size:asc", [("vcpus", False)]),
        ("sort_dir=desc", [("name", True), ("flavorid", True)]),
    ],
)
def test_both_ways_of_sorting_are_understood(query: str, sort: list[tuple[str, bool]]) -> None:
    assert page(query).query.sort == sort


@pytest.mark.parametrize(
    ("query", "kind", "word"),
    [
        ("sort_key=secret", "sort_key", "Sort key secret is not supported"),
        ("sort_key=", "sort_key", "Sort key  is not supported"),
        ("sort_key=name&sort_dir=up", "sort_dir", "not up"),
        ("sort=name:sideways", "sort_dir", "not sideways"),
        ("sort_dir=sideways", "sort_dir", "not sideways"),
        ("limit=-1", "limit", "limit param must be an integer: -1"),
        ("limit=ten", "limit", "limit param must be an integer: ten"),
        ("limit=1.5", "limit", "limit param must be an integer: 1.5"),
        ("limit=9999999999999999999", "limit", "limit param must be an integer"),
        ("public=perhaps", "filter", "Invalid value 'perhaps', must be a boolean"),
        ("size=big", "filter", "big is not an integer"),
    ],
)
def test_what_makes_no_sense_is_refused(query: str, kind: str, word: str) -> None:
    with pytest.raises(Invalid) as caught:
        page(query)
    assert caught.value.kind == kind
    assert word in caught.value.message


def test_limits_are_held_within_bounds() -> None:
    assert page("limit=7").limit == 7
    assert page("limit=1000000").limit == 50
    assert page("limit=").limit == 50
    assert page("limit=3&limit=4").limit == 4
    assert page("limit=0").limit == 0
    everything = Listing(name="x", zero_limit_means_all=True, default_limit=None)
    assert page("limit=0", everything).limit is None
    assert page("", everything).query.limit is None


def test_filters_are_read_by_their_kind_and_repeated_ones_mean_any() -> None:
    assert page("name=a&public=true&size=-3&other=x").query.where == [
        Condition("name", "=", "a"),
        Condition("is_public", "=", True),
        Condition("vcpus", "=", -3),
    ]
    assert page("name=a&name=b").query.where == [Condition("name", "in", ["a", "b"])]


@pytest.mark.parametrize("text", ["1", "t", "True", "ON", "y", "yes"])
def test_words_of_truth(text: str) -> None:
    assert truth(text) is True
    assert truth({"1": "0", "t": "F", "True": "false", "ON": "off", "y": "n", "yes": "NO"}[text]) is False


def test_the_next_page_keeps_what_was_asked_and_moves_the_marker() -> None:
    found = page("limit=2&name=a%26b&marker=old&sort=name:desc")
    document = found.document([{"id": 1}, {"id": 2}], more=True, last_id="new&id")
    [link] = document["things_links"]
    assert link["rel"] == "next"
    where = urlsplit(link["href"])
    assert f"{where.scheme}://{where.netloc}{where.path}" == HERE
    assert dict(parse_qsl(where.query)) == {"limit": "2", "name": "a&b", "sort": "name:desc", "marker": "new&id"}
    assert page("limit=2").document([1], more=False, last_id="x") == {"things": [1]}


def test_each_service_links_in_its_own_manner() -> None:
    keystone = Listing(name="users", links="keystone")
    assert page("name=a", keystone).document([], more=False, last_id=None) == {
        "users": [],
        "links": {"self": f"{HERE}?name=a", "previous": None, "next": None},
    }
    glance = read_page(
        Listing(name="images", links="glance"), [("limit", "1")], base="http://cloud.test/image/v2/images"
    )
    assert glance.document([1], more=True, last_id="x") == {
        "images": [1],
        "first": "/v2/images?limit=1",
        "next": "/v2/images?limit=1&marker=x",
        "schema": "/v2/schemas/images",
    }


ROWS = [
    Flavor(
        id=n,
        flavorid=f"f{n:02}",
        name=f"name-{n * 7 % 23:02}",
        vcpus=n % 3,
        memory_mb=1,
        disk=1,
        is_public=bool(n % 2),
        description=None if n % 5 == 0 else f"note {n % 5}",
        created_at="",
    )
    for n in range(23)
]


keys = st.lists(st.sampled_from(["id", "name", "size", "note"]), max_size=3, unique=True)


@given(keys, st.lists(st.sampled_from(["asc", "desc"]), max_size=3), st.integers(1, 9), st.booleans())
def test_pages_one_after_the_other_are_the_whole_listing(
    sort_keys: list[str], directions: list[str], limit: int, only_public: bool
) -> None:
    """Whatever it is sorted by, with ties and nulls: nothing twice, nothing left out, in the order of one large page."""
    query = [("sort_key", key) for key in sort_keys] + [("sort_dir", d) for d in directions[: len(sort_keys)]]
    query += [("public", "true")] if only_public else []

    def walk(tx: Transaction) -> tuple[list[str], list[str]]:
        for row in ROWS:
            records.insert(tx, row)
        whole = [r.flavorid for r in records.page(tx, Flavor, read_page(THINGS, query, base=HERE).query)]
        found: list[str] = []
        asked: list[tuple[str, str]] = [*query, ("limit", str(limit))]
        while True:
            one = read_page(THINGS, asked, base=HERE)
            rows, more = one.cut(records.page(tx, Flavor, one.query))
            assert len(rows) <= limit
            found += [row.flavorid for row in rows]
            if not more:
                return whole, found
            asked = parse_qsl(urlsplit(one.next_url(found[-1])).query)

    database, result = InlineDatabase(), []

    async def work() -> None:
        result.append(await database.write(walk))

    coroutine: Any = work()
    with pytest.raises(StopIteration):
        coroutine.send(None)  # the inline database never waits
    [(whole, found)] = result
    assert found == whole
    assert len(set(found)) == len(found) == len([r for r in ROWS if r.is_public or not only_public])


async def test_a_marker_that_names_nothing_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        await InlineDatabase().read(lambda tx: records.page(tx, Flavor, page("marker=none").query))
    assert (caught.value.kind, caught.value.message) == ("marker", "marker [none] not found")
