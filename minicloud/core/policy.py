"""Policy: who may do what, by upstream's names and defaults, in oslo.policy's language, overridable from a file.

A rule is a check string: ``role:member and project_id:%(project_id)s``, ``rule:admin_api or rule:owner``, ``not ...``,
``@`` (always), ``!`` (never). ``%(name)s`` is taken from the target, a name on the left from the context. Rules are parsed
once into closures. Defaults of the API's routes come with the route lines; this file holds the rules they refer to.
A rule may hold for tokens of some scopes only; a policy file changes what it checks, not that.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec

from minicloud.base import trace
from minicloud.base.errors import Forbidden, Invalid, NotFound
from minicloud.core.context import Context

Target = Mapping[str, Any]
Check = Callable[[Context, Target], bool]

Scopes = frozenset[Literal["project", "domain", "system"]]
ANY_SCOPE: Scopes = frozenset()
OF_PROJECTS: Scopes = frozenset({"project"})

ANYONE = "@"
NOBODY = "!"
ADMIN = "rule:context_is_admin"
PROJECT_READER = "role:reader and project_id:%(project_id)s"
PROJECT_MEMBER = "role:member and project_id:%(project_id)s"
PROJECT_MANAGER = "role:manager and project_id:%(project_id)s"
PROJECT_READER_OR_ADMIN = f"({PROJECT_READER}) or {ADMIN}"
PROJECT_MEMBER_OR_ADMIN = f"({PROJECT_MEMBER}) or {ADMIN}"
PROJECT_MANAGER_OR_ADMIN = f"({PROJECT_MANAGER}) or {ADMIN}"
OWN_USER = f"user_id:%(user_id)s or {ADMIN}"
ADMIN_OR_SERVICE = f"{ADMIN} or role:service"
SYSTEM_READER = "role:reader and system_scope:all"

BASE_RULES = {
    "context_is_admin": "role:admin",
    "default": "",
    "admin_api": ADMIN,
    "admin_required": "role:admin",
    "project_reader_api": PROJECT_READER,
    "project_member_api": PROJECT_MEMBER,
    "project_manager_api": PROJECT_MANAGER,
    "project_reader_or_admin": PROJECT_READER_OR_ADMIN,
    "project_member_or_admin": PROJECT_MEMBER_OR_ADMIN,
    "project_manager_or_admin": PROJECT_MANAGER_OR_ADMIN,
    "admin_or_owner": f"{ADMIN} or project_id:%(project_id)s",
    "owner": "user_id:%(user_id)s",
    "metadef_admin": ADMIN,
    "metadef_default": "",
    "service_role": "role:service",
    "service_or_admin": "rule:admin_required or rule:service_role",
    "token_subject": "user_id:%(target.token.user_id)s",
    "domain_managed_target_role": (
        "'manager':%(target.role.name)s or 'member':%(target.role.name)s or 'reader':%(target.role.name)s"
    ),
}
"""Rules that other rules name."""


class Rule(msgspec.Struct, frozen=True):
    """A named rule: its default (a file's own rule would be nobody's), what a policy file made of it, the scopes of tokens it is for (none: of whatever scope)."""

    name: str
    default: str
    check: str
    scopes: Scopes = ANY_SCOPE

    @property
    def overridden(self) -> bool:
        """Whether a file changed it."""
        return self.default != self.check


class Reason(msgspec.Struct, frozen=True):
    """A check of a rule, and whether it holds; ``depth`` counts the rules that it stands in."""

    check: str
    holds: bool
    depth: int


class Policy:
    """All rules of the cloud. ``rules`` are (name, default check) pairs; ``overrides`` come from the policy file.

    That file may have rules of its own, to which its other rules refer, or which are ``named`` elsewhere. ``scopes`` are those of the rules that hold for some tokens only. A token without scope counts as one for a project.
    """

    def __init__(
        self,
        rules: Iterable[tuple[str, str]],
        overrides: Mapping[str, str] | None = None,
        scopes: Mapping[str, Scopes] | None = None,
        named: Collection[str] = (),
    ) -> None:
        self._scopes = dict(scopes or {})
        self._named = frozenset(named)
        defaults = dict(BASE_RULES)
        for name, check in rules:
            if defaults.setdefault(name, check) != check:
                raise Invalid(f"Policy {name} has two defaults: {defaults[name]} and {check}")
        self._defaults = defaults
        self.rules, self._checks = _compiled(defaults, overrides or {}, self._scopes, self._named)

    def reload(self, overrides: Mapping[str, str]) -> None:
        """Take other overrides from now on. Raises Invalid, and leaves everything as it was, where they make no sense."""
        self.rules, self._checks = _compiled(self._defaults, overrides, self._scopes, self._named)

    def explain(self, name: str, context: Context, target: Target) -> "list[Reason]":
        """Each check that a rule is made of, rules that it names below them, and whether it holds. Raises NotFound."""
        if name not in self.rules:
            raise NotFound(f"There is no policy {name}: see `minicloud policy list`")
        scopes = self._scopes.get(name, ANY_SCOPE)
        scoped = [Reason(check=f"a token for: {', '.join(sorted(scopes))}", holds=_scope(context) in scopes, depth=0)]
        return [*(scoped if scopes else []), *self._reasons(name, context, target, 0)]

    def _reasons(self, name: str, context: Context, target: Target, depth: int) -> "Iterator[Reason]":
        for word in _words(self.rules[name].check):
            if word in ("(", ")") or word.lower() in ("and", "or", "not"):
                continue
            texts = {known: rule.check for known, rule in self.rules.items()}
            yield Reason(check=word, holds=_atom(word, self._checks, texts)(context, target), depth=depth)
            if word.startswith("rule:"):
                yield from self._reasons(word.removeprefix("rule:"), context, target, depth + 1)

    def allows(self, name: str, context: Context, target: Target | None = None) -> bool:
        """Whether the rule lets this context act on this target (by default: its own project and user)."""
        if target is None:
            target = {"project_id": context.project_id, "user_id": context.user_id, "domain_id": context.domain_id}
        scopes = self._scopes.get(name)
        return (not scopes or _scope(context) in scopes) and self._checks[name](context, target)

    def enforce(self, name: str, context: Context, target: Target | None = None) -> None:
        """Raises Forbidden, naming the rule, where it does not allow."""
        allowed = self.allows(name, context, target)
        trace.note("policy", rule=name, check=self.rules[name].check, allowed=allowed)
        if not allowed:
            raise Forbidden(f"Policy doesn't allow {name} to be performed.", rule=name)


_SAME_THING = {"token.domain.id": "domain_id", "token.project.domain.id": "project_domain_id"}
"""Names on the left side that Keystone's own policies have for what the context calls otherwise."""


def _scope(context: Context) -> Literal["project", "domain", "system"]:
    """What kind of scope a token has to a rule."""
    if context.system_scope is not None:
        return "system"
    return "project" if context.domain_id is None else "domain"


def _compiled(
    defaults: Mapping[str, str], overrides: Mapping[str, str], scopes: Mapping[str, Scopes], named: Collection[str]
) -> tuple[dict[str, Rule], dict[str, Check]]:
    """The rules and their closures. Raises Invalid for rules that do not exist, cannot be read, or go in circles."""
    referred = {word.removeprefix("rule:") for text in overrides.values() for word in _words(text)} | set(named)
    unknown = sorted(set(overrides) - set(defaults) - referred)
    if unknown:
        raise Invalid(
            f"The policy file names rules that do not exist: {', '.join(unknown)}; `minicloud policy list` names all"
        )
    texts = {**defaults, **overrides}
    missing = sorted(set(named) - set(texts))
    if missing:
        raise Invalid(f"There is no policy {missing[0]}, which the property protection file names")
    checks: dict[str, Check] = {}
    read: dict[str, Check] = {}
    for name, text in texts.items():
        try:
            # A thousand rules say some sixty things.
            checks[name] = read.get(text) or read.setdefault(text, _parse(text, checks, texts))
        except Invalid as error:
            raise Invalid(f"{error.message} (in the rule of {name})") from error
    for name in overrides:
        _refuse_circle(name, texts, (name,))
    rules = {
        name: Rule(name, defaults.get(name, NOBODY), texts[name], scopes.get(name, ANY_SCOPE)) for name in sorted(texts)
    }
    return rules, checks


def _refuse_circle(name: str, texts: Mapping[str, str], above: tuple[str, ...]) -> None:
    for word in _words(texts[name]):
        if word.startswith("rule:"):
            below = word.removeprefix("rule:")
            if below in above:
                raise Invalid(f"The policy rule {above[0]} goes in a circle: {' > '.join((*above, below))}")
            _refuse_circle(below, texts, (*above, below))


_TOKEN = re.compile(r"\s*(?:(\()|(\))|((?:[^\s()%]|%\([^)]*\)s|%)+))")


def _words(text: str) -> list[str]:
    """A check string in its words and parentheses. Raises Invalid."""
    words: list[str] = []
    rest = text.strip()
    while rest:
        match = _TOKEN.match(rest)
        if match is None:
            raise Invalid(f"Cannot read the policy rule {text!r}")
        words.append(match[1] or match[2] or match[3])
        rest = rest[match.end() :].strip()
    return words


def _parse(text: str, checks: dict[str, Check], texts: Mapping[str, str]) -> Check:
    """A check string as a closure. Precedence as in oslo.policy: not, and, or."""
    words = _words(text)
    if not words:
        return lambda context, target: True
    at = 0

    def either() -> Check:
        nonlocal at
        parts = [both()]
        while at < len(words) and words[at].lower() == "or":
            at += 1
            parts.append(both())
        return parts[0] if len(parts) == 1 else lambda c, t: any(part(c, t) for part in parts)

    def both() -> Check:
        nonlocal at
        parts = [single()]
        while at < len(words) and words[at].lower() == "and":
            at += 1
            parts.append(single())
        return parts[0] if len(parts) == 1 else lambda c, t: all(part(c, t) for part in parts)

    def single() -> Check:
        nonlocal at
        if at >= len(words):
            raise Invalid(f"The policy rule {text!r} ends too soon")
        word = words[at]
        at += 1
        if word.lower() == "not":
            inner = single()
            return lambda c, t: not inner(c, t)
        if word == "(":
            inner = either()
            if at >= len(words) or words[at] != ")":
                raise Invalid(f"The policy rule {text!r} lacks a closing parenthesis")
            at += 1
            return inner
        return _atom(word, checks, texts)

    whole = either()
    if at != len(words):
        raise Invalid(f"Cannot read the policy rule {text!r} from {words[at]!r} on")
    return whole


def _atom(word: str, checks: dict[str, Check], texts: Mapping[str, str]) -> Check:
    if word == "@":
        return lambda c, t: True
    if word == "!":
        return lambda c, t: False
    kind, colon, match = word.partition(":")
    if not colon:
        raise Invalid(f"Cannot read {word!r} in a policy rule: it should be kind:match")
    if kind == "rule":
        if match not in texts:
            raise Invalid(f"A policy rule refers to rule:{match}, which does not exist")
        return lambda c, t: checks[match](c, t)
    if kind == "role":
        role = match.lower()
        return lambda c, t: role in c.roles
    if kind == "is_admin":
        wanted = match.lower() in ("true", "1")
        return lambda c, t: c.is_admin == wanted
    if kind == "field":
        return _field(match)
    left = _left(kind)
    name = re.fullmatch(r"%\((.*)\)s", match)
    if name:
        key = name[1]
        if kind == "None":
            # A target that has the attribute and nothing in it; one without the attribute matches nothing.
            return lambda c, t: key in t and t[key] is None
        return lambda c, t: (found := t.get(key)) is not None and left(c) == str(found)
    if match == "None":
        return lambda c, t: left(c) is None
    return lambda c, t: left(c) == match


def _field(match: str) -> Check:
    """Neutron's check of what is acted upon: ``field:networks:shared=True``, or ``=~`` and a pattern that it begins with."""
    key, _, value = match.partition(":")[2].partition("=")
    if value.startswith("~"):
        try:
            pattern = re.compile(value[1:])
        except re.error as error:
            raise Invalid(f"{value[1:]!r} is no regular expression: {error}") from error
        return lambda c, t: (found := t.get(key)) is not None and pattern.match(str(found)) is not None
    return lambda c, t: (found := t.get(key)) is not None and str(found) == value


def _left(kind: str) -> Callable[[Context], str | None]:
    """The left side of a check: a literal in quotes, None, or an attribute of the context."""
    literal = re.fullmatch(r"'(.*)'|\"(.*)\"", kind)
    if literal:
        value = literal[1] if literal[1] is not None else literal[2]
        return lambda c: value
    if kind == "None":
        return lambda c: "None"
    kind = _SAME_THING.get(kind, kind)
    if kind not in Context.__struct_fields__:
        return lambda c: None
    return lambda c: None if (found := getattr(c, kind)) is None else str(found)
