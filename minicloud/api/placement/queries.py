"""Queries for providers and candidates: the small languages in their parameters, and the groups that they make."""

import re
from collections.abc import Mapping

from minicloud.api.call import Call
from minicloud.base.errors import Invalid
from minicloud.base.ids import is_uuid
from minicloud.core.placement.allocation_candidates import Amounts, Group, Request

BAD_VALUE = "placement.query.bad_value"
NUMBERED = r"[1-9][0-9]*"
NAMED = r"[a-zA-Z0-9_-]{1,64}"
Names = tuple[frozenset[str], ...]


def provider_query(call: Call, asked: Mapping[str, str]) -> Group:
    """The conditions on each provider, of a query whose names were checked."""
    required, forbidden = _traits(call, "")
    member_of, not_member_of = _member_of(call, "")
    return Group(
        resources=_resources(asked["resources"]) if "resources" in asked else {},
        required=required,
        forbidden=forbidden,
        member_of=member_of,
        not_member_of=not_member_of,
        in_tree=asked.get("in_tree"),
    )


def candidate_request(call: Call) -> Request:
    """The request for candidates that a query makes. Raises Invalid where it makes none."""
    same_subtrees = _same_subtrees(call)
    root_required, root_forbidden = _root_required(call)
    groups = _groups(call)
    if call.at_least("1.36"):
        _expect_subtrees(groups, same_subtrees)
    else:
        _expect_no_orphans(groups)
    if call.at_least("1.22"):
        _expect_no_contradiction(groups)
    policy = next(iter(_all(call, "group_policy")), None)
    if policy is None and sum(1 for suffix in groups if suffix) > 1:
        raise Invalid(
            'The "group_policy" parameter is required when specifying more than one "resources{N}" parameter.'
        )
    limit = _all(call, "limit")
    return Request(
        groups=groups,
        limit=int(limit[0]) if limit else None,
        isolate=policy == "isolate",
        root_required=root_required,
        root_forbidden=root_forbidden,
        same_subtrees=same_subtrees,
        nested=call.at_least("1.29"),
    )


def _groups(call: Call) -> dict[str, Group]:
    pattern = re.compile(rf"(resources|required|member_of|in_tree)({NAMED if call.at_least('1.33') else NUMBERED})?\Z")
    amounts: dict[str, Amounts] = {}
    trees: dict[str, str] = {}
    suffixes: dict[str, None] = {}
    for name, value in call.parameters:
        match = pattern.match(name)
        if match is None:
            continue
        suffix = match[2] or ""
        suffixes[suffix] = None
        if match[1] == "resources":
            amounts[suffix] = _resources(value)
        elif match[1] == "in_tree":
            trees[suffix] = _tree(value)
    made = {}
    for suffix in suffixes:
        required, forbidden = _traits(call, suffix)
        member_of, not_member_of = _member_of(call, suffix)
        made[suffix] = Group(
            resources=amounts.get(suffix, {}),
            required=required,
            forbidden=forbidden,
            member_of=member_of,
            not_member_of=not_member_of,
            in_tree=trees.get(suffix),
        )
    return made


def _all(call: Call, name: str) -> list[str]:
    return [value for key, value in call.parameters if key == name]


def _resources(text: str) -> Amounts:
    """``VCPU:2,MEMORY_MB:1024``."""
    form = (
        "Badly formed resources parameter. Expected resources query string parameter in form: "
        "?resources=VCPU:2,MEMORY_MB:1024. Got: "
    )
    if not text.strip():
        raise Invalid(f"{form}empty string.")
    found: Amounts = {}
    for part in text.split(","):
        name, colon, amount = part.partition(":")
        if not colon or ":" in amount:
            raise Invalid(f"{form}{part}.")
        if not re.fullmatch(r"\s*[-+]?\d{1,18}\s*", amount):
            raise Invalid(f"Requested resource {name} expected positive integer amount. Got: {amount}.")
        if int(amount) < 1:
            raise Invalid(f"Requested resource {name} requires amount >= 1. Got: {int(amount)}.")
        found[name] = int(amount)
    return found


def _traits(call: Call, suffix: str) -> tuple[Names, frozenset[str]]:
    """``A,B,!C``, and since 1.39 ``in:A,B`` and repeated; before, the last one counts."""
    values = _all(call, f"required{suffix}")
    required: list[frozenset[str]] = []
    forbidden: set[str] = set()
    for value in values if call.at_least("1.39") else values[-1:]:
        more, never = _trait_list(value, negation=call.at_least("1.22"), choice=call.at_least("1.39"))
        required += more
        forbidden |= never
    return tuple(required), frozenset(forbidden)


def _trait_list(text: str, *, negation: bool, choice: bool) -> tuple[list[frozenset[str]], set[str]]:
    wrong = "Invalid query string parameters: "
    if text.startswith("in:"):
        if not choice:
            raise Invalid(
                f"{wrong}The format 'in:HW_CPU_X86_VMX,CUSTOM_MAGIC' only supported since microversion 1.39. Got: {text}"
            )
        names = frozenset(name.strip() for name in text[3:].split(","))
        if "" in names:
            raise Invalid(
                f"{wrong}Expected 'required' parameter value of the form: in:HW_CPU_X86_VMX,CUSTOM_MAGIC. "
                f"Got an empty trait in: {text}"
            )
        if any(name.startswith("!") for name in names):
            raise Invalid(
                f"{wrong}The format 'in:HW_CPU_X86_VMX,CUSTOM_MAGIC' does not support forbidden traits. Got: {text}"
            )
        return [names], set()
    given = [name.strip() for name in text.split(",")]
    forbidden = {name.lstrip("!") for name in given if name.startswith("!")}
    form = "HW_CPU_X86_VMX,!CUSTOM_MAGIC" if negation else "HW_CPU_X86_VMX,CUSTOM_MAGIC"
    if "" in given or "" in forbidden:
        raise Invalid(f"{wrong}Expected 'required' parameter value of the form: {form}. Got an empty trait in: {text}")
    if forbidden and not negation:
        raise Invalid(f"{wrong}Expected 'required' parameter value of the form: {form}. Got: {text}")
    return [frozenset([name]) for name in given if not name.startswith("!")], forbidden


def _member_of(call: Call, suffix: str) -> tuple[Names, frozenset[str]]:
    """An aggregate, ``in:A,B``, ``!A`` or ``!in:A,B``; since 1.24 repeated, since 1.32 negated."""
    values = _all(call, f"member_of{suffix}")
    if len(values) > 1 and not call.at_least("1.24"):
        raise Invalid(f"Multiple member_of{suffix} parameters are not supported")
    required: list[frozenset[str]] = []
    forbidden: set[str] = set()
    for value in values:
        negated = value.startswith("!")
        rest = value.removeprefix("!")
        several = rest.startswith("in:")
        if "," in value and not several:
            raise Invalid(
                "Multiple values for 'member_of' must be prefixed with the 'in:' or '!in:' keyword using the valid "
                f"microversion. Got: {value}"
            )
        ids = rest.removeprefix("in:").split(",") if several else [rest]
        for one in ids:
            if not is_uuid(one):
                raise Invalid(
                    "Invalid query string parameters: Expected 'member_of' parameter to contain valid UUID(s). "
                    f"Got: {one}"
                )
        if negated and not call.at_least("1.32"):
            raise Invalid(f"Forbidden member_of{suffix} parameters are not supported in the specified microversion")
        if negated:
            forbidden |= set(ids)
        else:
            required.append(frozenset(ids))
    return tuple(required), frozenset(forbidden)


def _tree(text: str) -> str:
    if not is_uuid(text.strip()):
        raise Invalid(
            f"Invalid query string parameters: Expected 'in_tree' parameter to be a format of uuid. Got: {text}"
        )
    return text.strip()


def _root_required(call: Call) -> tuple[frozenset[str], frozenset[str]]:
    values = _all(call, "root_required")
    if len(values) > 1:
        raise Invalid(
            "Query parameter 'root_required' may be specified only once.", kind="placement.query.duplicate_key"
        )
    if not values:
        return frozenset(), frozenset()
    names, forbidden = _trait_list(values[0], negation=True, choice=False)
    required = frozenset().union(*names)
    both = sorted(required & forbidden)
    if both:
        raise Invalid(
            f"Conflicting required and forbidden traits found in root_required: {', '.join(both)}", kind=BAD_VALUE
        )
    return required, frozenset(forbidden)


def _same_subtrees(call: Call) -> tuple[frozenset[str], ...]:
    found = []
    for value in _all(call, "same_subtree"):
        suffixes = frozenset(suffix.strip() for suffix in value.split(","))
        if "" in suffixes:
            raise Invalid("Empty string (unsuffixed group) can not be specified in `same_subtree` ", kind=BAD_VALUE)
        found.append(suffixes)
    return tuple(found)


def _expect_subtrees(groups: Mapping[str, Group], same_subtrees: tuple[frozenset[str], ...]) -> None:
    """Since 1.36 a group may ask for no resources, if ``same_subtree`` says whom it belongs to."""
    empty = [suffix for suffix, group in groups.items() if not group.resources]
    named = frozenset().union(*same_subtrees)
    if len(empty) == len(groups):
        raise Invalid(
            "There must be at least one resources or resources[$S] parameter.", kind="placement.query.missing_value"
        )
    alone = [suffix for suffix in empty if suffix not in named]
    if alone:
        raise Invalid(
            "Resourceless suffixed group request should be specified in `same_subtree` query param: bad group(s) - "
            f"{alone}.",
            kind=BAD_VALUE,
        )
    unknown = [suffix for suffix in sorted(named) if suffix not in groups]
    if unknown:
        raise Invalid(
            f"Real suffixes should be specified in `same_subtree`: {unknown} not found in {list(groups)}.",
            kind=BAD_VALUE,
        )


def _expect_no_orphans(groups: Mapping[str, Group]) -> None:
    orphans = [f"required{suffix}" for suffix, group in groups.items() if group.required and not group.resources]
    if orphans:
        raise Invalid(
            "All traits parameters must be associated with resources.  Found the following orphaned traits keys: "
            f"{', '.join(orphans)}"
        )
    orphans = [
        f"member_of{suffix}"
        for suffix, group in groups.items()
        if not group.resources and (group.member_of or group.not_member_of)
    ]
    if orphans:
        raise Invalid(
            "All member_of parameters must be associated with resources. Found the following orphaned member_of keys: "
            f"{', '.join(orphans)}"
        )
    if not all(group.resources for group in groups.values()):
        raise Invalid("All request groups must specify resources.")
    if not groups:
        raise Invalid("At least one request group (`resources` or `resources{$S}`) is required.")


def _expect_no_contradiction(groups: Mapping[str, Group]) -> None:
    both = [
        f"required{suffix}: ({', '.join(sorted(names))})"
        for suffix, group in groups.items()
        for names in group.required
        if names <= group.forbidden
    ]
    if both:
        raise Invalid(
            "Conflicting required and forbidden traits found in the following traits keys: " + ", ".join(sorted(both))
        )
