"""What a cloud is made of, without starting one: its routes, its policies, its kinds of sagas."""

import inspect
from pathlib import Path

import msgspec

from minicloud import cloud
from minicloud.api.identity.passwords import Passwords
from minicloud.api.routes import Route
from minicloud.api.service import Service
from minicloud.conductor.step import shape
from minicloud.core.policy import Policy, Rule
from minicloud.settings import Settings


class RouteLine(msgspec.Struct, frozen=True, kw_only=True):
    """A route as a table shows it. ``path`` is whole, from the first mount of its service on."""

    service: str
    method: str
    path: str
    action: str | None
    policy: str | None
    status: str
    versions: str


class SagaKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of saga: its steps in order, and what it is for."""

    kind: str
    steps: list[str]
    purpose: str


def services() -> list[Service]:
    """Every service, built and not started."""
    return cloud.services(Passwords("cheap"), Settings())


def routes() -> list[RouteLine]:
    """Every route, service by service, in the order of the paths."""
    found = [_line(service, route) for service in services() for route in service.routes]
    return sorted(found, key=lambda one: (one.service, one.path, one.method, one.action or ""))


def policies() -> list[Rule]:
    """Every policy with its default rule, by name."""
    return list(cloud.policy_of(services()).rules.values())


def policy(data: Path) -> Policy:
    """The policies of a cloud, as its data folder's policy.yaml makes them. Raises Invalid."""
    overrides = cloud.policy_overrides(data)
    # Which rules the property protection file names is known when the cloud starts: only then the others are refused.
    return cloud.policy_of(services(), overrides, {name for name in overrides if ":" not in name})


def golden_routes() -> str:
    """Every route with its rule, a line each: what ``tests/golden/routes.txt`` holds."""
    lines = []
    for service in services():
        for route in service.routes:
            line = _line(service, route)
            rules = [*([(route.policy, route.allow)] if route.policy else []), *route.extra]
            said = "; ".join(f"{name} = {check or '(always)'}" for name, check, *_ in rules)
            if not rules:
                said = "open to all" if route.open else "any token"
            action = f" {route.action}" if route.action else ""
            lines.append(f"{line.method} {line.path}{action}{f' [{line.versions}]' if line.versions else ''}: {said}")
    return "\n".join(sorted(lines)) + "\n"


def golden_policies() -> str:
    """Every rule with its default, a line each: what ``tests/golden/policies.txt`` holds."""
    return "".join(
        f"{rule.name}: {rule.default or '(always)'}{f' [{scope_words(rule)}]' if rule.scopes else ''}\n"
        for rule in policies()
    )


def scope_words(rule: Rule) -> str:
    """The scopes of the tokens that a rule is for; empty where it does not matter."""
    return ", ".join(sorted(rule.scopes))


def golden_sagas() -> str:
    """Every saga with the names of its steps, a line each: what ``tests/golden/sagas.txt`` holds.

    A saga that is under way when the program is replaced goes on only if its steps are still these.
    """
    return "".join(sorted(f"{kind.__name__}: {', '.join(shape(kind))}\n" for kind in cloud.SAGAS))


def sagas() -> list[SagaKind]:
    """Every kind of saga, by name."""
    kinds = [
        SagaKind(
            kind=kind.__name__,
            steps=shape(kind),
            purpose=(inspect.getdoc(inspect.getmodule(kind)) or "").split("\n")[0],
        )
        for kind in cloud.SAGAS
    ]
    return sorted(kinds, key=lambda one: one.kind)


def _line(service: Service, route: Route) -> RouteLine:
    prefix = "" if route.root else service.prefix
    policy = "(open to all)" if route.open else route.policy
    status = (
        str(route.status) if isinstance(route.status, int) else ", ".join(f"{v}: {s}" for v, s in route.status.items())
    )
    since = "" if route.since is None else f"from {route.since}"
    until = "" if route.until is None else f"to {route.until}"
    return RouteLine(
        service=service.name,
        method=route.method,
        path=f"{service.mounts[0]}{prefix}{route.path}".rstrip("/") or "/",
        action=route.action,
        policy=policy,
        status=status,
        versions=f"{since} {until}".strip(),
    )
