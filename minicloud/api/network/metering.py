"""/metering/metering-labels and /metering/metering-label-rules."""

from collections.abc import Sequence
from typing import Any

import msgspec

from minicloud.api.network import guard, values
from minicloud.api.network.attributes import OWNED, REQUIRED, Attribute, Resource
from minicloud.api.network.kinds import Kind, five
from minicloud.base.errors import Invalid
from minicloud.core.context import Context
from minicloud.core.network import metering
from minicloud.core.network.metering import MeteringLabel, MeteringRule
from minicloud.core.records import Transaction

_PREFIX = values.or_none(values.cidr)

LABEL = Resource(
    "metering_label",
    "metering_labels",
    [
        Attribute("name", values.name, "", filter="text", sort=True),
        Attribute("description", values.text(1024), "", filter="text", sort=True),
        Attribute("shared", values.boolean, False, filter="flag", sort=True),
    ],
    has=OWNED,
)
RULE = Resource(
    "metering_label_rule",
    "metering_label_rules",
    [
        Attribute("metering_label_id", values.uuid, REQUIRED, filter="text", sort=True),
        Attribute("direction", values.one_of("ingress", "egress"), REQUIRED, filter="text", sort=True),
        Attribute("excluded", values.boolean, False, filter="flag", sort=True),
        Attribute("remote_ip_prefix", _PREFIX, None, filter="text", sort=True),
        Attribute("source_ip_prefix", _PREFIX, None, filter="text", sort=True),
        Attribute("destination_ip_prefix", _PREFIX, None, filter="text", sort=True),
        Attribute("tenant_id", values.project),
        Attribute("project_id", values.project),
    ],
    has=[attribute for attribute in OWNED if attribute.name == "id"],
)


def _labels(tx: Transaction, context: Context, found: Sequence[MeteringLabel]) -> list[dict[str, Any]]:
    return [msgspec.structs.asdict(label) | {"tenant_id": label.project_id} for label in found]


def _rules(tx: Transaction, context: Context, found: Sequence[MeteringRule]) -> list[dict[str, Any]]:
    return [msgspec.structs.asdict(rule) for rule in found]


def _target(tx: Transaction, context: Context, rule: MeteringRule) -> dict[str, Any]:
    owner = metering.owner(tx, rule)
    return {"project_id": owner, "tenant_id": owner}


class _Rules(metering.Rules):
    """What core offers of rules, told of prefixes that exclude each other."""

    @staticmethod
    def create(tx: Transaction, context: Context, **given: Any) -> MeteringRule:
        """A new rule. Raises Invalid for a remote prefix beside one of the others, or none at all."""
        given.pop("tenant_id", None)
        remote, ends = given["remote_ip_prefix"], (given["source_ip_prefix"], given["destination_ip_prefix"])
        if remote is not None and any(ends):
            raise Invalid(
                "Cannot use 'remote-ip-prefix' in conjunction with 'source-ip-prefix' or 'destination-ip-prefix'.",
                kind="HTTPBadRequest",
            )
        if remote is None and not any(ends):
            raise Invalid(
                "You must define at least one of the following parameters 'source-ip-prefix' or 'destination-ip-prefix' or "
                "'remote-ip-prefix'.",
                kind="HTTPBadRequest",
            )
        return metering.Rules.create(tx, context, **given)


_WORDS: dict[str, Any] = {"read": guard.ADMIN_OR_READER, "write": guard.ADMIN_OR_MANAGER, "changes": False}

routes = [
    *five(Kind(resource=LABEL, path="/metering/metering-labels", core=metering.Labels, view=_labels, **_WORDS)),
    *five(
        Kind(resource=RULE, path="/metering/metering-label-rules", core=_Rules, view=_rules, target=_target, **_WORDS)
    ),
]
