"""Every service of the cloud, and the rules of all their routes with what a file makes of those."""

from collections.abc import Collection
from pathlib import Path

from minicloud.api import compute as compute_api
from minicloud.api import health as health_api
from minicloud.api import identity as identity_api
from minicloud.api import image as image_api
from minicloud.api import network as network_api
from minicloud.api import placement as placement_api
from minicloud.api import volume as volume_api
from minicloud.api.identity.passwords import Passwords
from minicloud.api.routes import Further
from minicloud.api.service import Service
from minicloud.base.errors import Invalid
from minicloud.core import policy_file
from minicloud.core.identity.registered_limits import MODELS
from minicloud.core.policy import Policy, Scopes
from minicloud.options import password_rules_of
from minicloud.settings import Settings


def services(passwords: Passwords, settings: Settings) -> list[Service]:
    """Every service of the cloud with its route lines; ``inspect`` reads them without starting anything."""
    return [
        compute_api.service(),
        image_api.service(),
        network_api.service(),
        placement_api.service(),
        volume_api.service(),
        health_api.service(),
        identity_api.service(
            passwords,
            token_hours=settings.token_hours,
            rules=password_rules_of(settings),
            limit_model=MODELS[settings.limit_model],
        ),
    ]


def policy_overrides(folder: Path) -> dict[str, str]:
    """What the data folder's policy.yaml makes of the rules; nothing where there is none. Raises Invalid."""
    path = folder / policy_file.NAME
    try:
        return policy_file.parse(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"Cannot read {path}: {error}") from error


def policy_of(
    all_services: list[Service], overrides: dict[str, str] | None = None, named: Collection[str] = ()
) -> Policy:
    """The rules of all routes, with their defaults, the scopes they are for, and what a file made of them.

    ``named`` are policies that must be there though no route asks them.
    """
    rules: list[tuple[str, str]] = []
    scopes: dict[str, Scopes] = {}
    for service in all_services:
        for route in service.routes:
            own = service.scopes if route.scopes is None else route.scopes
            asked = [(route.policy, route.allow)] if route.policy and route.allow is not None else []
            for rule in (*asked, *route.extra):
                rules.append(rule[:2])
                scopes[rule[0]] = rule.scopes if isinstance(rule, Further) else own
    return Policy(rules, overrides, scopes, named)
