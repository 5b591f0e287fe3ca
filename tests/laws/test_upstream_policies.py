"""The policies are upstream's: the same names, defaults that mean the same, for tokens of the same scopes; or the reason why not."""

import itertools
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from minicloud.operations import parts

GOLDEN = Path(__file__).parents[1] / "golden" / "upstream_policies.txt"

ABSENT = {
    r"compute:servers:resize:cross_cell": "this cloud has one cell",
    r"volume_extension:volume_type_encryption": "stood for all four of its kind until each had a name of its own",
    r"group:update_group_snapshot": "not a route of the Block Storage API: group snapshots cannot be changed",
    r"volume:update_volume_admin_metadata": "cinder asks for it as an administrator, so that it always holds",
    r"volume:multiattach": "holds for whoever holds volume:create, with which it would be asked",
    r"[gs]et_image_location": "the addresses of an image's data are shown to nobody, as in Glance by default",
    r"manage_image_cache|default": "of no use to any route of Glance",
    r"(get|add|modify)_tasks?": "hold for everybody: tasks_api_access is what is asked",
    r"identity:.*(identity_provider|service_provider|mapping|protocol).*": "federation is not offered",
    r"identity:revocation_list": "lists of revoked PKI tokens are not offered",
    r"identity:list_(projects|domains)_for_user": "are asked of by no route: identity:get_auth_projects and _domains are",
    r"create_agent|update_l3-router": "not routes of the Networking API: agents report themselves",
    r"(create|get):?_?router:evpn_vni": "EVPN is not offered",
    r".*pvlan.*": "private VLANs are not offered",
    r".*_(conntrack_helper|router_conntrack_helper)": "connection tracking helpers are not offered",
    r".*local_ip.*": "local IPs are not offered",
    r".*ndp_prox.*": "NDP proxies are not offered",
    r".*(_log|loggable_resource)": "logging of packets is not offered",
    r".*network_segment_range.*": "ranges of segments are not offered",
    r".*_segments_tags": "segments have no tags",
    r".*(add|update|remove)_external_gateways.*": "a router has one gateway",
    r".*_router:(distributed|ha|enable_default_route_.*)": "every router is a plain one",
    r".*_port:(hints|trusted|resource_request)": "ports have no such attribute",
    r"update_network:(segments|provider:.*)": "the segments of a network stay as they were made",
    r"update_subnet:leak_routes": "subnets have no such attribute",
    r".*_floatingip:router_id": "the router of a floating IP follows from the port",
    r".*security_groups_default_statefulness": "security groups are stateful unless they say otherwise",
    r"create_default_security_group": "the default group is made when something first needs it",
    r"get_flavor_service_profile": "not a route of the Networking API",
}
"""Policies that are not there, as patterns, and why."""

OTHERWISE = {
    "image service_api": "the network service has a rule of this name, too; the image routes say what it stands for",
    "network owner": "the identity service has a rule of this name, too",
    "network default": "the image service has a rule of this name, too, which its property protections name",
    "placement admin_api": "the compute service has a rule of this name, too",
    "identity admin_or_owner": "the compute service has a rule of this name, too",
}
"""Rules that no route asks for, only other rules, which mean something else here."""

SAME = {"is_admin:True": "role:admin", "is_admin:1": "role:admin", "is_admin_project:True": "@"}
"""Checks that mean the same in a cloud whose administrators are those with the role."""

IMPLIED = ("role:admin", "role:manager", "role:member", "role:reader")
_WORD = re.compile(r"\(|\)|(?:[^\s()%]|%\([^)]*\)s|%)+")


class Upstream(msgspec.Struct, frozen=True):
    """A policy of a real service."""

    service: str
    name: str
    check: str
    scopes: frozenset[str]


def upstream() -> list[Upstream]:
    """All policies of the real services."""
    found = []
    for line in GOLDEN.read_text().splitlines():
        match = re.fullmatch(r"(\S+) (\S+): (.*?)(?: \[([a-z, ]+)\])?", line)
        assert match is not None, line
        scopes = frozenset(match[4].split(", ")) if match[4] else frozenset[str]()
        found.append(Upstream(match[1], match[2], match[3], scopes))
    return found


def whole(check: str, rules: Mapping[str, str]) -> list[str]:
    """The words of a check, with those of the rules that it names in their place."""
    words: list[str] = []
    for word in _WORD.findall(check) or ["@"]:
        if word.startswith("rule:"):
            words += ["(", *whole(rules[word.removeprefix("rule:")], rules), ")"]
        else:
            words.append(SAME.get(word, word.replace("tenant_id:", "project_id:")))
    return words


def same(one: list[str], other: list[str]) -> bool:
    """Whether two checks allow the same, whatever each of their parts says; a role has those below it."""
    kept = {"(", ")", "and", "or", "not", "@", "!"}
    parts = sorted({word for word in (*one, *other) if word not in kept})
    assert len(parts) < 17, parts
    code = [
        compile(" ".join(_python(word, kept) for word in words), "a check", "eval", dont_inherit=True)
        for words in (one, other)
    ]
    for verdicts in itertools.product((False, True), repeat=len(parts)):
        holds = dict(zip(parts, verdicts, strict=True))
        held = [holds[role] for role in IMPLIED if role in holds]
        if held == sorted(held) and len({bool(eval(each, {"holds": holds})) for each in code}) > 1:
            return False
    return True


def _python(word: str, kept: set[str]) -> str:
    if word in ("@", "!"):
        return str(word == "@")
    return word if word in kept else f"holds[{word!r}]"


def test_every_policy_is_upstreams_or_absent_for_a_reason() -> None:
    ours = {rule.name: rule for rule in parts.policies()}
    defaults = {name: rule.default for name, rule in ours.items()}
    wrong: list[str] = []
    used: set[str] = set()
    for service in sorted({one.service for one in upstream()}):
        theirs = [one for one in upstream() if one.service == service]
        rules = {"context_is_admin": "role:admin", **{one.name: one.check for one in theirs}}
        asked = {word.removeprefix("rule:") for one in theirs for word in _WORD.findall(one.check) if ":" in word}
        for one in theirs:
            if one.name not in ours:
                reasons = [pattern for pattern in ABSENT if re.fullmatch(pattern, one.name)]
                used.update(reasons)
                if not reasons and one.name not in asked and (one.scopes or ":" in one.name):
                    wrong.append(f"{service} {one.name} is absent: {one.check}")
                continue
            mine = ours[one.name]
            if f"{service} {one.name}" in OTHERWISE:
                used.add(f"{service} {one.name}")
                continue
            if not same(whole(one.check, rules), whole(mine.default, defaults)):
                wrong.append(f"{service} {one.name} is {mine.default}, upstream {one.check}")
            if one.scopes and mine.scopes != one.scopes:
                wrong.append(f"{service} {one.name} is for {sorted(mine.scopes)}, upstream {sorted(one.scopes)}")
    assert not wrong, "\n".join(wrong)
    assert used == {*ABSENT, *OTHERWISE}, "reasons for what is not so"


def test_no_policy_is_of_our_own_making() -> None:
    theirs = {one.name for one in upstream()} | {"service_role", "project_manager_or_admin"}
    assert sorted(rule.name for rule in parts.policies() if rule.name not in theirs) == []
