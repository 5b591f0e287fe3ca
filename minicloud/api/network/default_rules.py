"""/default-security-group-rules: templates of the rules that new security groups begin with."""

from collections.abc import Sequence
from typing import Any

from minicloud.api.network import guard, values
from minicloud.api.network.attributes import OMITTED, OWNED, Attribute, Resource
from minicloud.api.network.kinds import Kind, five
from minicloud.api.network.security_group_rules import MATCHES
from minicloud.core.context import Context
from minicloud.core.network import default_rules
from minicloud.core.network.default_rules import DefaultRule
from minicloud.core.records import Transaction

RULE = Resource(
    "default_security_group_rule",
    "default_security_group_rules",
    [
        *MATCHES,
        Attribute("description", values.text(1024), "", filter="text"),
        Attribute("used_in_default_sg", values.boolean, False, filter="flag"),
        Attribute("used_in_non_default_sg", values.boolean, True, filter="flag"),
        Attribute("tenant_id", values.project, OMITTED),
        Attribute("project_id", values.project, OMITTED),
    ],
    has=[attribute for attribute in OWNED if attribute.name == "id"],
)


def _view(tx: Transaction, context: Context, found: Sequence[DefaultRule]) -> list[dict[str, Any]]:
    return [
        {
            "id": rule.id,
            "description": rule.description,
            "direction": rule.direction,
            "ethertype": rule.ethertype,
            "protocol": rule.protocol,
            "port_range_min": rule.port_range_min,
            "port_range_max": rule.port_range_max,
            "remote_ip_prefix": rule.remote_ip_prefix,
            "remote_group_id": rule.remote_group_id,
            "remote_address_group_id": rule.remote_address_group_id,
            "used_in_default_sg": rule.used_in_default_sg,
            "used_in_non_default_sg": rule.used_in_non_default_sg,
        }
        for rule in found
    ]


class _Core:
    """What core offers; an owner that is named is let go."""

    get = staticmethod(default_rules.get)
    page = staticmethod(default_rules.page)
    delete = staticmethod(default_rules.delete)

    @staticmethod
    def create(tx: Transaction, context: Context, **given: Any) -> DefaultRule:
        """A new template."""
        given.pop("tenant_id", None)
        return default_rules.create(tx, context, **given)


def _target(tx: Transaction, context: Context, rule: DefaultRule) -> dict[str, Any]:
    return {}


routes = five(
    Kind(
        resource=RULE,
        path="/default-security-group-rules",
        core=_Core,
        view=_view,
        target=_target,
        read="role:reader",
        write=guard.ADMIN,
        changes=False,
    )
)
