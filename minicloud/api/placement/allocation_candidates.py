"""/allocation_candidates: where a request could go."""

from typing import Any

import msgspec

from minicloud.api.call import Call
from minicloud.api.placement import queries
from minicloud.api.placement.exchange import ANY_TEXT, answer, expect_json, query
from minicloud.api.placement.shapes import Shape, Text, Thing
from minicloud.api.routes import Get
from minicloud.base import trace
from minicloud.base.errors import Invalid, NotFound
from minicloud.core.placement import allocation_candidates, resource_classes, traits
from minicloud.core.placement.allocation_candidates import Candidate, Request
from minicloud.core.placement.index import Picture, Provider
from minicloud.core.policy import ADMIN_OR_SERVICE
from minicloud.core.records import Transaction

PARTS = ("resources", "required", "member_of")


async def index(call: Call) -> Any:
    expect_json(call)
    query(call, _shape(call))
    request = queries.candidate_request(call)
    if call.world.options.randomize_allocation_candidates:
        request = msgspec.structs.replace(request, sample=call.context.request_id)
    placement = call.world.placement

    def read(tx: Transaction) -> bytes:
        _expect_names(tx, request)
        return _document(call, request, placement.picture(tx))

    return answer(call, await call.read(read))


def _shape(call: Call) -> Thing:
    """The parameters that there are at a version."""
    fields: dict[str, Shape] = {}
    if not call.at_least("1.25"):
        fields["resources"] = ANY_TEXT
        for name, since in (("required", "1.17"), ("member_of", "1.21")):
            if call.at_least(since):
                fields[name] = ANY_TEXT
    if call.at_least("1.16"):
        fields["limit"] = Text(pattern="^[1-9][0-9]*$", least=1)
    if not call.at_least("1.25"):
        return Thing(fields=fields, required=("resources",))
    fields["group_policy"] = Text(one_of=("none", "isolate"))
    for name, since in (("root_required", "1.35"), ("same_subtree", "1.36")):
        if call.at_least(since):
            fields[name] = ANY_TEXT
    names = (*PARTS, "in_tree") if call.at_least("1.31") else PARTS
    suffix = queries.NAMED if call.at_least("1.33") else queries.NUMBERED
    return Thing(fields=fields, keys="|".join(f"^{name}({suffix})?$" for name in names), values=ANY_TEXT)


def _expect_names(tx: Transaction, request: Request) -> None:
    """Raises Invalid for resource classes and traits that do not exist."""
    try:
        for group in request.groups.values():
            resource_classes.require(tx, list(group.resources))
    except NotFound as error:
        raise Invalid(f"Invalid resource class in resources parameter: {error.message}") from error
    wanted = [*sorted(request.root_required), *sorted(request.root_forbidden)]
    for group in request.groups.values():
        wanted += [name for names in group.required for name in sorted(names)]
        wanted += sorted(group.forbidden)
    try:
        traits.require(tx, wanted)
    except NotFound as error:
        raise Invalid(error.message) from error


def _document(call: Call, request: Request, picture: Picture) -> bytes:
    """The answer, encoded where it is made: with thousands of candidates that is most of the work."""
    alone = allocation_candidates.by_themselves(picture, request) if call.at_least("1.34") else None
    if alone is not None:
        shown = allocation_candidates.some(alone, request)
        count, requests = len(shown), _of_each(shown, request)
    else:
        found = allocation_candidates.search(picture, request)
        shown = allocation_candidates.involved(picture, found, nested=request.nested)
        documents = _as_mappings(call, found) if call.at_least("1.12") else _as_lists(found)
        count, requests = len(found), msgspec.json.encode(documents).decode()
    trace.note("allocation_candidates", count=count, providers=len(picture))
    return f'{{"allocation_requests":{requests},"provider_summaries":{_summaries(call, request, shown)}}}'.encode()


def _of_each(providers: list[Provider], request: Request) -> str:
    """The requests where each provider by itself is a candidate: they differ in nothing but its id."""
    resources = msgspec.json.encode(request.groups[""].resources).decode()
    between, after = f'":{{"resources":{resources}}}}},"mappings":{{"":["', '"]}}'
    return "[" + ",".join([f'{{"allocations":{{"{p.id}{between}{p.id}{after}' for p in providers]) + "]"


def _summaries(call: Call, request: Request, providers: list[Provider]) -> str:
    """Capacity and usage of providers, by id. What all versions of an answer have in common is encoded once for each."""
    wanted = None
    if not call.at_least("1.27"):
        wanted = {name for group in request.groups.values() for name in group.resources}
    with_traits, with_tree = call.at_least("1.17"), call.at_least("1.29")
    form = f"summary {with_traits} {with_tree}" if wanted is None else ""
    lines = []
    for provider in providers:
        line = provider.encoded.get(form)
        if line is None:
            document = msgspec.json.encode(_summary(provider, wanted, with_traits, with_tree)).decode()
            line = f'"{provider.id}":{document}'
            if form:
                provider.encoded[form] = line
        lines.append(line)
    return "{" + ",".join(lines) + "}"


def _as_mappings(call: Call, found: list[Candidate]) -> list[dict[str, Any]]:
    if call.at_least("1.34"):
        return [
            {
                "allocations": {p: {"resources": amounts} for p, amounts in candidate.allocations.items()},
                "mappings": candidate.mappings,
            }
            for candidate in found
        ]
    return [
        {"allocations": {p: {"resources": amounts} for p, amounts in candidate.allocations.items()}}
        for candidate in found
    ]


def _as_lists(found: list[Candidate]) -> list[dict[str, Any]]:
    return [
        {
            "allocations": [
                {"resource_provider": {"uuid": p}, "resources": amounts} for p, amounts in candidate.allocations.items()
            ]
        }
        for candidate in found
    ]


def _summary(provider: Provider, wanted: set[str] | None, with_traits: bool, with_tree: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "resources": {
            name: {"capacity": stock.capacity, "used": stock.used}
            for name, stock in provider.stocks.items()
            if wanted is None or name in wanted
        }
    }
    if with_traits:
        # Standard traits come first, as in the real service, whose table of traits begins with them.
        shown["traits"] = sorted(provider.traits, key=lambda name: (name.startswith("CUSTOM_"), name))
    if with_tree:
        shown["parent_provider_uuid"] = provider.parent_id
        shown["root_provider_uuid"] = provider.root_id
    return shown


routes = [
    Get(
        "/allocation_candidates",
        index,
        policy="placement:allocation_candidates:list",
        allow=ADMIN_OR_SERVICE,
        since="1.10",
    )
]
