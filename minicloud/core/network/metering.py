"""Labels of traffic and the rules that say what counts under them. They are recorded: no host counts, nobody is told of sums.

Upstream's API shows no counters either; its agents send them to telemetry, which this cloud does not have.
"""

from typing import Any, ClassVar

import msgspec

from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.records import AnyOf, Condition
from minicloud.engines.database import Transaction


class MeteringLabel(records.Record, kw_only=True):
    """A label."""

    TABLE = "metering_labels"
    MISSING: ClassVar[str] = "Metering label '{id}' does not exist."
    MISSING_KIND: ClassVar[str | None] = "MeteringLabelNotFound"

    id: str
    project_id: str
    name: str = ""
    description: str = ""
    shared: bool = False


class MeteringRule(records.Record, kw_only=True):
    """What counts under a label, or does not."""

    TABLE = "metering_label_rules"
    MISSING: ClassVar[str] = "Metering label rule '{id}' does not exist."
    MISSING_KIND: ClassVar[str | None] = "MeteringLabelRuleNotFound"

    id: str
    metering_label_id: str
    direction: str
    remote_ip_prefix: str | None = None
    source_ip_prefix: str | None = None
    destination_ip_prefix: str | None = None
    excluded: bool = False


class Labels:
    """Labels as a kind of resource."""

    @staticmethod
    def get(tx: Transaction, context: Context, label_id: str) -> MeteringLabel:
        """A label that exists for whoever asks. Raises NotFound."""
        label = records.find(tx, MeteringLabel, label_id)
        if label is None or not (context.sees(label.project_id) or label.shared):
            raise MeteringLabel.missing(label_id)
        return label

    @staticmethod
    def page(tx: Transaction, context: Context, query: records.Query) -> list[MeteringLabel]:
        """A page of the labels that exist for whoever asks."""
        own: list[Condition | AnyOf] = (
            []
            if context.is_admin
            else [AnyOf([Condition("project_id", "=", context.project_id or ""), Condition("shared", "=", True)])]
        )
        return records.page(tx, MeteringLabel, msgspec.structs.replace(query, where=[*query.where, *own]))

    @staticmethod
    def create(tx: Transaction, context: Context, *, project_id: str, **values: Any) -> MeteringLabel:
        """A new label."""
        return records.insert(tx, MeteringLabel(id=tx.ids.uuid(), project_id=project_id, **values))

    @staticmethod
    def delete(tx: Transaction, context: Context, label: MeteringLabel) -> None:
        """Delete a label and its rules."""
        records.remove(tx, label)


class Rules:
    """Rules as a kind of resource."""

    @staticmethod
    def get(tx: Transaction, context: Context, rule_id: str) -> MeteringRule:
        """A rule of a label that exists for whoever asks. Raises NotFound."""
        rule = records.find(tx, MeteringRule, rule_id)
        if rule is None or not context.sees(records.get(tx, MeteringLabel, rule.metering_label_id).project_id):
            raise MeteringRule.missing(rule_id)
        return rule

    @staticmethod
    def page(tx: Transaction, context: Context, query: records.Query) -> list[MeteringRule]:
        """A page of the rules of labels that exist for whoever asks."""
        labels = [label.id for label in Labels.page(tx, context, records.Query())]
        where = [*query.where, *([] if context.is_admin else [Condition("metering_label_id", "in", labels)])]
        return records.page(tx, MeteringRule, msgspec.structs.replace(query, where=where))

    @staticmethod
    def create(
        tx: Transaction, context: Context, *, project_id: str, metering_label_id: str, **values: Any
    ) -> MeteringRule:
        """A new rule. Raises NotFound for a label that is not there."""
        Labels.get(tx, context, metering_label_id)
        return records.insert(tx, MeteringRule(id=tx.ids.uuid(), metering_label_id=metering_label_id, **values))

    @staticmethod
    def delete(tx: Transaction, context: Context, rule: MeteringRule) -> None:
        """Delete a rule."""
        records.remove(tx, rule)


def owner(tx: Transaction, rule: MeteringRule) -> str:
    """Whose a rule is."""
    return records.get(tx, MeteringLabel, rule.metering_label_id).project_id
