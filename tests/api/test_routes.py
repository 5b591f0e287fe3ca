"""Route lines and the tree that finds them: what a line must say, which line wins, and what finding one costs."""

import random
from typing import Any

import pytest

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.microversions import version
from minicloud.api.routes import Action, Delete, Get, Post, Route, Tree


class Document(Body, wrap="thing"):
    """A body."""

    name: str


async def index(call: Call) -> Any: ...
async def show(call: Call, thing_id: str) -> Any: ...
async def inner(call: Call, thing_id: str, key: str) -> Any: ...
async def create(call: Call, body: Document) -> Any: ...
async def act(call: Call, server_id: str, body: Document) -> Any: ...
async def raw(call: Call, body: bytes) -> Any: ...


def lines(tree: Tree, path: str, method: str = "GET") -> list[Route]:
    """What stands at a path under a method."""
    found = tree.find(path)
    return [] if found is None else found.methods.get(method, [])


def test_a_line_reads_its_names_and_its_body_from_its_handler() -> None:
    line = Post("/things", create, policy="p", allow="@", status={"2.1": 200, "2.2": 201})
    assert (line.method, line.path, line.names, line.body) == ("POST", "/things", (), Document)
    assert [line.status_at(version(v)) for v in ("2.1", "2.2", "2.90")] == [200, 201, 201]
    assert line.status_at(None) == 200
    assert Get("/things/{thing_id}/keys/{key}", inner, policy=None).names == ("thing_id", "key")
    assert Delete("/things/{thing_id}", show, policy=None).status == 204
    assert Post("/raw", raw, policy=None).body is bytes
    action = Action("os-start", act, policy=None)
    assert (action.method, action.path, action.action, action.status) == (
        "POST",
        "/servers/{server_id}/action",
        "os-start",
        202,
    )


def test_a_line_that_disagrees_with_its_handler_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match=r"takes \['thing_id'\], the path gives \[\]"):
        Get("/things", show, policy=None)
    with pytest.raises(TypeError, match=r"the path gives \['key', 'thing_id'\]"):
        Get("/keys/{key}/of/{thing_id}", inner, policy=None)
    with pytest.raises(TypeError, match="allow without a policy's name"):
        Get("/things", index, policy=None, allow="role:admin")


def test_a_literal_wins_over_a_name_and_a_name_catches_the_rest() -> None:
    tree = Tree(
        [
            Get("/things", index, policy="list"),
            Get("/things/detail", index, policy="detail"),
            Get("/things/{thing_id}", show, policy="show"),
            Get("/things/{thing_id}/keys/{key}", inner, policy="key"),
        ]
    )
    assert [line.policy for line in lines(tree, "/things/detail")] == ["detail"]
    assert [line.policy for line in lines(tree, "/things/other")] == ["show"]
    found = tree.find("/things/x/keys/y")
    assert found is not None
    assert found.values == ("x", "y")
    assert tree.find("/things/x/keys") is None
    assert tree.find("/thing") is None
    assert tree.find("/") is None


def test_a_literal_that_leads_nowhere_does_not_hide_a_name() -> None:
    tree = Tree([Get("/a/detail/x", index, policy="1"), Get("/a/{thing_id}/y", show, policy="2")])
    found = tree.find("/a/detail/y")
    assert found is not None
    assert found.values == ("detail",)


@pytest.mark.parametrize("path", ["/things/", "//things", "/things//"])
def test_empty_segments_do_not_count(path: str) -> None:
    assert lines(Tree([Get("/things", index, policy="list")]), path)


def test_several_lines_may_share_a_path_for_different_versions() -> None:
    old = Post("/things", create, policy="p", until="2.52")
    new = Post("/things", create, policy="p", since="2.53")
    tree = Tree([old, new])
    at = {v: [line for line in lines(tree, "/things", "POST") if line.exists(version(v))] for v in ("2.52", "2.53")}
    assert at == {"2.52": [old], "2.53": [new]}
    assert old.exists(None)


def test_the_cost_of_finding_a_route_is_that_of_its_segments_not_of_their_number() -> None:
    """Counted, not timed: how many nodes are looked at is the same among ten routes and among ten thousand."""

    def visits(count: int) -> int:
        dice = random.Random(count)
        routes = [Get(f"/r{dice.getrandbits(64):x}/x{n}", index, policy=None) for n in range(count)]
        routes.append(Get("/things/{thing_id}/keys/{key}", inner, policy=None))
        tree = Tree(routes)
        seen = 0

        class Counting(dict[str, Any]):
            def get(self, key: Any, default: Any = None) -> Any:
                nonlocal seen
                seen += 1
                return super().get(key, default)

        def count_lookups(node: Any) -> None:
            for child in [*node.literal.values(), *([node.named] if node.named else [])]:
                count_lookups(child)
            node.literal = Counting(node.literal)

        count_lookups(tree._root)
        assert tree.find("/things/1/keys/2") is not None
        return seen

    assert visits(10) == visits(10_000) == 4
