"""Configurations of domains: options of drivers that a domain might have of its own. They are kept and shown, and change
nothing here: all users of this cloud are in its own database."""

from typing import Any

from minicloud.base.errors import Forbidden, NotFound
from minicloud.core import records
from minicloud.core.identity import domains
from minicloud.engines.database import Transaction

OPTIONS: dict[str, dict[str, Any]] = {
    "identity": {"driver": "sql", "list_limit": None},
    "ldap": dict.fromkeys(
        [
            "url",
            "user",
            "suffix",
            "query_scope",
            "page_size",
            "alias_dereferencing",
            "debug_level",
            "chase_referrals",
            "user_tree_dn",
            "user_filter",
            "user_objectclass",
            "user_id_attribute",
            "user_name_attribute",
            "user_mail_attribute",
            "user_description_attribute",
            "user_pass_attribute",
            "user_enabled_attribute",
            "user_enabled_invert",
            "user_enabled_mask",
            "user_enabled_default",
            "user_attribute_ignore",
            "user_default_project_id_attribute",
            "user_enabled_emulation",
            "user_enabled_emulation_dn",
            "user_enabled_emulation_use_group_config",
            "user_additional_attribute_mapping",
            "group_tree_dn",
            "group_filter",
            "group_objectclass",
            "group_id_attribute",
            "group_name_attribute",
            "group_members_are_ids",
            "group_member_attribute",
            "group_desc_attribute",
            "group_attribute_ignore",
            "group_additional_attribute_mapping",
            "tls_cacertfile",
            "tls_cacertdir",
            "use_tls",
            "tls_req_cert",
            "use_pool",
            "pool_size",
            "pool_retry_max",
            "pool_retry_delay",
            "pool_connection_timeout",
            "pool_connection_lifetime",
            "use_auth_pool",
            "auth_pool_size",
            "auth_pool_connection_lifetime",
        ]
    ),
}
"""The options that there are, with their defaults; a cloud without LDAP has none to tell for it."""

SECRET = {"ldap": frozenset({"password"})}
"""Options that may be set and are never shown."""

Config = dict[str, dict[str, Any]]


class DomainOption(records.Record, kw_only=True):
    """One option of a domain; ``value`` holds it as the one item of a list, whatever it is."""

    TABLE = "domain_configs"
    KEY = ("domain_id", "section", "name")

    domain_id: str
    section: str
    name: str
    value: list[Any]


def check_option(section: str | None, name: str | None = None) -> None:
    """Raises Forbidden for a group or an option that there is not."""
    if section is None:
        return
    if section not in OPTIONS:
        raise _refusal(f"Group {section} is not supported for domain specific configurations")
    if name is not None and name not in OPTIONS[section] and name not in SECRET.get(section, ()):
        raise _refusal(f"Option {name} in group {section} is not supported for domain specific configurations")


def _refusal(why: str) -> Forbidden:
    return Forbidden(f"Invalid domain specific configuration: {why}.")


def _check(config: Any) -> Config:
    if not isinstance(config, dict) or not config:
        raise _refusal("No options specified")
    for section, options in config.items():
        if not isinstance(options, dict) or not options:
            raise _refusal(f"The value of group {section} specified in the config should be a dictionary of options")
        for name in options:
            check_option(section, name)
    return config


def shown(tx: Transaction, domain_id: str, section: str | None = None, name: str | None = None) -> dict[str, Any]:
    """A domain's options, those of a group, or one. Raises NotFound when there are none, Forbidden for what cannot be."""
    check_option(section, name)
    found = [
        option for option in _stored(tx, domain_id, section, name) if option.name not in SECRET.get(option.section, ())
    ]
    if not found:
        raise _absent(domain_id, section, name)
    if name is not None:
        return {name: found[0].value[0]}
    return _grouped(found)


def _grouped(options: list[DomainOption]) -> dict[str, Any]:
    made: Config = {}
    for option in options:
        made.setdefault(option.section, {})[option.name] = option.value[0]
    return made


def _absent(domain_id: str, section: str | None, name: str | None) -> NotFound:
    what = "any options" if section is None else f"group {section}"
    if name is not None:
        what = f"option {name} in group {section}"
    return NotFound(f"Could not find {what} in domain configuration for domain {domain_id}.")


def _stored(tx: Transaction, domain_id: str, section: str | None = None, name: str | None = None) -> list[DomainOption]:
    found = records.select(tx, DomainOption, "domain_id = ? ORDER BY section, name", [domain_id])
    return [
        option
        for option in found
        if (section is None or option.section == section) and (name is None or option.name == name)
    ]


def create(tx: Transaction, domain_id: str, config: Any) -> tuple[dict[str, Any], bool]:
    """Put a configuration in the place of the one that a domain has; tells whether it had none. Raises NotFound, Forbidden."""
    domains.get(tx, domain_id)
    wanted = _check(config)
    is_new = not _stored(tx, domain_id)
    tx.execute("DELETE FROM domain_configs WHERE domain_id = ?", [domain_id])
    _write(tx, domain_id, wanted)
    return _visible(tx, domain_id), is_new


def _visible(tx: Transaction, domain_id: str) -> dict[str, Any]:
    return _grouped([one for one in _stored(tx, domain_id) if one.name not in SECRET.get(one.section, ())])


def _write(tx: Transaction, domain_id: str, config: Config) -> None:
    for section, options in config.items():
        for name, value in options.items():
            option = DomainOption(domain_id=domain_id, section=section, name=name, value=[value])
            records.remove(tx, option)
            records.insert(tx, option)


def update(
    tx: Transaction, domain_id: str, config: Any, section: str | None = None, name: str | None = None
) -> dict[str, Any]:
    """Change options, only those of the group or the one that is named. Raises NotFound, Forbidden."""
    domains.get(tx, domain_id)
    if section is not None and name is not None:
        config = {section: config}
    wanted = _check(config)
    check_option(section, name)
    if section is not None:
        if set(wanted) != {section} or (name is not None and set(wanted[section]) != {name}):
            what = f"group {section}" if name is None else f"option {name} in group {section}"
            raise _refusal(f"Trying to update {what}, so that, and only that, must be specified in the config")
        if not _stored(tx, domain_id, section, name):
            raise _absent(domain_id, section, name)
    _write(tx, domain_id, wanted)
    return _visible(tx, domain_id)


def delete(tx: Transaction, domain_id: str, section: str | None = None, name: str | None = None) -> None:
    """Remove a configuration, a group of it, or one option. Raises NotFound, Forbidden."""
    domains.get(tx, domain_id)
    check_option(section, name)
    found = _stored(tx, domain_id, section, name)
    if not found and section is not None:
        raise _absent(domain_id, section, name)
    for option in found:
        records.remove(tx, option)


def defaults(section: str | None = None, name: str | None = None) -> dict[str, Any]:
    """The options as they are where a domain has none of its own. Raises Forbidden."""
    check_option(section, name)
    if section is None:
        return OPTIONS
    return {section: OPTIONS[section]} if name is None else {name: OPTIONS[section].get(name)}
