"""What the settings make of the options of each part."""

from pathlib import Path

import msgspec

from minicloud.base.download import DownloadRules
from minicloud.base.errors import Invalid
from minicloud.conductor.world import Options
from minicloud.core.compute.disk_rules import DiskRules
from minicloud.core.identity.password_rules import PasswordRules, check_pattern
from minicloud.core.image import protections
from minicloud.core.image.options import METHODS, ImageOptions
from minicloud.core.image.protections import OPEN
from minicloud.core.scheduler.options import SchedulerOptions, read_options
from minicloud.settings import Settings


def options_of(settings: Settings, driver: str) -> Options:
    """What steps act by; raises Invalid for what makes no sense. Root disks of real guests are thin, so their hosts offer ten times the room that they have."""
    thin = 10.0 if driver == "qemu" else 1.0
    return Options(
        shutdown_timeout=settings.shutdown_timeout,
        cpu_allocation_ratio=settings.cpu_allocation_ratio,
        ram_allocation_ratio=settings.ram_allocation_ratio,
        disk_allocation_ratio=settings.disk_allocation_ratio * thin,
        reserved_host_memory_mb=settings.reserved_host_memory_mb,
        allow_resize_to_same_host=settings.allow_resize_to_same_host,
        resize_confirm_window=settings.resize_confirm_window,
        shelved_offload_time=settings.shelved_offload_time,
        reclaim_instance_interval=settings.reclaim_instance_interval,
        randomize_allocation_candidates=settings.randomize_allocation_candidates,
        disks=DiskRules(most=_most_disks(settings), cross_zones=settings.cross_az_attach),
    )


def _most_disks(settings: Settings) -> int:
    most = settings.max_disk_devices_to_attach
    if most == 0 or most < -1:
        raise Invalid(f"The setting max_disk_devices_to_attach has to be -1 (any number) or at least 1: {most}")
    return most


def scheduler_options_of(settings: Settings) -> SchedulerOptions:
    """How hosts are chosen. Raises Invalid for what makes no sense."""
    return read_options(msgspec.structs.asdict(settings))


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


def image_options_of(settings: Settings) -> ImageOptions:
    """What was chosen for the image service. Raises Invalid for what makes no sense."""
    unknown = sorted(set(_words(settings.import_methods)) - set(METHODS))
    if unknown:
        raise Invalid(f"The setting import_methods names {unknown[0]}: there are {', '.join(METHODS)}")
    if settings.image_check_hours < 0:
        raise Invalid(f"The setting image_check_hours has to be 0 (never) or more: {settings.image_check_hours}")
    protected = OPEN
    if settings.property_protection_file:
        where = settings.property_protection_file
        try:
            text = Path(where).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Invalid(f"Cannot read {where}: {error}") from error
        protected = protections.parse(text, settings.property_protection_rule_format, where)
    return ImageOptions(
        largest_bytes=settings.largest_image_gb << 30,
        import_methods=_words(settings.import_methods),
        downloads=DownloadRules(
            schemes=_words(settings.import_allowed_schemes),
            refused_schemes=_words(settings.import_disallowed_schemes),
            hosts=_words(settings.import_allowed_hosts),
            refused_hosts=_words(settings.import_disallowed_hosts),
            ports=_ports("import_allowed_ports", settings.import_allowed_ports),
            refused_ports=_ports("import_disallowed_ports", settings.import_disallowed_ports),
        ),
        protections=protected,
        check_hours=settings.image_check_hours,
    )


def _ports(name: str, text: str) -> tuple[int, ...]:
    words = _words(text)
    if not all(port.isdecimal() and 0 < int(port) < 1 << 16 for port in words):
        raise Invalid(f"The setting {name} has to be numbers of ports: {text}")
    return tuple(int(port) for port in words)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
