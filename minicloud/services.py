"""Every service of the cloud with what settings make of it, and the rules of all their routes with what a file makes of those."""

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
from minicloud.base.download import DownloadRules
from minicloud.base.errors import Invalid
from minicloud.core import policy_file
from minicloud.core.identity.password_rules import PasswordRules, check_pattern
from minicloud.core.identity.registered_limits import MODELS
from minicloud.core.image import protections
from minicloud.core.image.options import METHODS, ImageOptions
from minicloud.core.image.protections import OPEN
from minicloud.core.policy import Policy, Scopes
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


def password_rules_of(settings: Settings) -> PasswordRules:
    """What passwords must be like. Raises Invalid for a pattern that is none."""
    rules = PasswordRules(
        lockout_attempts=settings.lockout_failure_attempts,
        lockout_seconds=settings.lockout_duration,
        expires_days=settings.password_expires_days,
        unique_count=settings.unique_last_password_count,
        minimum_age_days=settings.minimum_password_age,
        regex=settings.password_regex,
        regex_description=settings.password_regex_description,
        change_upon_first_use=settings.change_password_upon_first_use,
        inactive_days=settings.disable_user_account_days_inactive,
    )
    check_pattern(rules)
    return rules


def image_options_of(settings: Settings, policies: Collection[str]) -> ImageOptions:
    """What was chosen for the image service. ``policies`` are those there are. Raises Invalid for what makes no sense."""
    unknown = sorted(set(_words(settings.import_methods)) - set(METHODS))
    if unknown:
        raise Invalid(f"The setting import_methods names {unknown[0]}: there are {', '.join(METHODS)}")
    ports = _words(settings.import_allowed_ports)
    if not all(port.isdecimal() and 0 < int(port) < 1 << 16 for port in ports):
        raise Invalid(f"The setting import_allowed_ports has to be numbers of ports: {settings.import_allowed_ports}")
    protected = OPEN
    if settings.property_protection_file:
        where = settings.property_protection_file
        try:
            text = Path(where).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Invalid(f"Cannot read {where}: {error}") from error
        protected = protections.parse(text, settings.property_protection_rule_format, where, policies)
    return ImageOptions(
        largest_bytes=settings.largest_image_gb << 30,
        import_methods=_words(settings.import_methods),
        downloads=DownloadRules(
            schemes=_words(settings.import_allowed_schemes),
            hosts=_words(settings.import_allowed_hosts),
            refused_hosts=_words(settings.import_disallowed_hosts),
            ports=tuple(int(port) for port in ports),
        ),
        protections=protected,
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def policy_overrides(folder: Path) -> dict[str, str]:
    """What the data folder's policy.yaml makes of the rules; nothing where there is none. Raises Invalid."""
    path = folder / policy_file.NAME
    try:
        return policy_file.parse(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"Cannot read {path}: {error}") from error


def policy_of(all_services: list[Service], overrides: dict[str, str] | None = None) -> Policy:
    """The rules of all routes, with their defaults, the scopes they are for, and what a file made of them."""
    rules: list[tuple[str, str]] = []
    scopes: dict[str, Scopes] = {}
    for service in all_services:
        for route in service.routes:
            own = service.scopes if route.scopes is None else route.scopes
            asked = [(route.policy, route.allow)] if route.policy and route.allow is not None else []
            for rule in (*asked, *route.extra):
                rules.append(rule[:2])
                scopes[rule[0]] = rule.scopes if isinstance(rule, Further) else own
    return Policy(rules, overrides, scopes)
