"""Configurations of domains: kept and shown, by the whole, by group and by option."""

from typing import Any

from minicloud.api.bodies import Body
from minicloud.api.call import Call, Reply
from minicloud.api.identity.targets import ADMIN, ADMIN_OR_SYSTEM_READER, OF_ALL
from minicloud.api.identity.views import View
from minicloud.api.routes import Delete, Get, Patch, Put, Route
from minicloud.base.errors import Forbidden
from minicloud.core.identity import domain_configs, domains
from minicloud.core.identity.password_rules import PasswordRules
from minicloud.core.policy import ANYONE
from minicloud.core.records import Transaction

COMPLIANCE = "security_compliance"


class ConfigDocument(Body, open=True):
    """A document with options by group, or with one option."""

    config: dict[str, Any]


async def create(call: Call, domain_id: str, body: ConfigDocument) -> Reply:
    """``PUT /v3/domains/{domain_id}/config``: 201 for the first one, 200 for one that takes another's place."""
    made, is_new = await call.write(lambda tx: domain_configs.create(tx, domain_id, body.config))
    return Reply({"config": made}, 201 if is_new else 200)


async def _shown(call: Call, domain_id: str, section: str | None, name: str | None) -> View:
    def read(tx: Transaction) -> View:
        domains.get(tx, domain_id)
        return domain_configs.shown(tx, domain_id, section, name)

    return {"config": await call.read(read)}


async def show(call: Call, domain_id: str) -> View:
    """``GET /v3/domains/{domain_id}/config``"""
    return await _shown(call, domain_id, None, None)


async def show_group(call: Call, domain_id: str, group: str) -> View:
    """``GET /v3/domains/{domain_id}/config/{group}``"""
    return await _shown(call, domain_id, group, None)


async def show_option(call: Call, domain_id: str, group: str, option: str) -> View:
    """``GET /v3/domains/{domain_id}/config/{group}/{option}``"""
    return await _shown(call, domain_id, group, option)


async def update(call: Call, domain_id: str, body: ConfigDocument) -> View:
    """``PATCH /v3/domains/{domain_id}/config``"""
    return {"config": await call.write(lambda tx: domain_configs.update(tx, domain_id, body.config))}


async def update_group(call: Call, domain_id: str, group: str, body: ConfigDocument) -> View:
    """``PATCH /v3/domains/{domain_id}/config/{group}``"""
    return {"config": await call.write(lambda tx: domain_configs.update(tx, domain_id, body.config, group))}


async def update_option(call: Call, domain_id: str, group: str, option: str, body: ConfigDocument) -> View:
    """``PATCH /v3/domains/{domain_id}/config/{group}/{option}``"""
    return {"config": await call.write(lambda tx: domain_configs.update(tx, domain_id, body.config, group, option))}


async def delete(call: Call, domain_id: str) -> None:
    """``DELETE /v3/domains/{domain_id}/config``"""
    await call.write(lambda tx: domain_configs.delete(tx, domain_id))


async def delete_group(call: Call, domain_id: str, group: str) -> None:
    """``DELETE /v3/domains/{domain_id}/config/{group}``"""
    await call.write(lambda tx: domain_configs.delete(tx, domain_id, group))


async def delete_option(call: Call, domain_id: str, group: str, option: str) -> None:
    """``DELETE /v3/domains/{domain_id}/config/{group}/{option}``"""
    await call.write(lambda tx: domain_configs.delete(tx, domain_id, group, option))


async def default(call: Call) -> View:
    """``GET /v3/domains/config/default``"""
    return {"config": domain_configs.defaults()}


async def default_group(call: Call, group: str) -> View:
    """``GET /v3/domains/config/{group}/default``"""
    return {"config": domain_configs.defaults(group)}


async def default_option(call: Call, group: str, option: str) -> View:
    """``GET /v3/domains/config/{group}/{option}/default``"""
    return {"config": domain_configs.defaults(group, option)}


def routes(rules: PasswordRules) -> list[Route]:
    """The lines of this file, which tell what passwords must be like."""
    told = {"password_regex": rules.regex or None, "password_regex_description": rules.regex_description or None}

    def check(domain_id: str) -> None:
        if domain_id != domains.DEFAULT:
            raise Forbidden(
                "Invalid domain specific configuration: Reading security compliance information for any domain other "
                "than the default domain is not allowed or supported.."
            )

    async def show_compliance(call: Call, domain_id: str) -> View:
        """``GET /v3/domains/{domain_id}/config/security_compliance``"""
        check(domain_id)
        return {"config": {COMPLIANCE: told}}

    async def show_compliance_option(call: Call, domain_id: str, option: str) -> View:
        """``GET /v3/domains/{domain_id}/config/security_compliance/{option}``"""
        check(domain_id)
        if option not in told:
            raise Forbidden(
                "Invalid domain specific configuration: Reading security compliance values other than password_regex and "
                "password_regex_description is not allowed.."
            )
        return {"config": {option: told[option]}}

    whole = "/domains/{domain_id}/config"
    group, one = f"{whole}/{{group}}", f"{whole}/{{group}}/{{option}}"
    read: dict[str, Any] = {"policy": "identity:get_domain_config", "allow": ADMIN_OR_SYSTEM_READER}
    change: dict[str, Any] = {"policy": "identity:update_domain_config", "allow": ADMIN}
    removal: dict[str, Any] = {"policy": "identity:delete_domain_config", "allow": ADMIN}
    defaults: dict[str, Any] = {"policy": "identity:get_domain_config_default", "allow": ADMIN_OR_SYSTEM_READER}
    compliance: dict[str, Any] = {
        "policy": "identity:get_security_compliance_domain_config",
        "allow": ANYONE,
        "scopes": OF_ALL,
    }
    return [
        Put(whole, create, policy="identity:create_domain_config", allow=ADMIN),
        Get(whole, show, **read),
        Get(group, show_group, **read),
        Get(one, show_option, **read),
        Get(f"{whole}/{COMPLIANCE}", show_compliance, **compliance),
        Get(f"{whole}/{COMPLIANCE}/{{option}}", show_compliance_option, **compliance),
        Patch(whole, update, **change),
        Patch(group, update_group, **change),
        Patch(one, update_option, **change),
        Delete(whole, delete, **removal),
        Delete(group, delete_group, **removal),
        Delete(one, delete_option, **removal),
        Get("/domains/config/default", default, **defaults),
        Get("/domains/config/{group}/default", default_group, **defaults),
        Get("/domains/config/{group}/{option}/default", default_option, **defaults),
    ]
