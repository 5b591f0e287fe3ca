"""Access rules: which requests an application credential may be used for (service type, method, path with wildcards)."""

import functools
import re
from collections.abc import Iterable

from minicloud.base.errors import Forbidden
from minicloud.core import records
from minicloud.core.records import Query
from minicloud.engines.database import Transaction

_PART = re.compile(r"(?P<tag>{[^}]*})|(?P<rec>\*\*)|(?P<wild>\*)|(?P<literal>[^{}*]+|[{}])")


class AccessRule(records.Record, kw_only=True):
    """A rule of a user, shared by all application credentials that have the same."""

    TABLE = "access_rules"
    MISSING = "Could not find Access Rule: {id}."

    id: str
    user_id: str
    service: str
    path: str
    method: str
    number: int = 0
    """Rules are listed by it: later ones have a higher one."""


def page(tx: Transaction, query: Query) -> list[AccessRule]:
    """One page of rules."""
    return records.page(tx, AccessRule, query)


def get(tx: Transaction, user_id: str, rule_id: str) -> AccessRule:
    """A user's rule. Raises NotFound."""
    found = records.find(tx, AccessRule, rule_id)
    if found is None or found.user_id != user_id:
        raise AccessRule.missing(rule_id)
    return found


def ensure(tx: Transaction, wanted: AccessRule) -> AccessRule:
    """The user's rule that says this, made where there is none."""
    found = records.select(
        tx,
        AccessRule,
        "user_id = ? AND service = ? AND path = ? AND method = ?",
        [wanted.user_id, wanted.service, wanted.path, wanted.method],
    )
    if found:
        return found[0]
    row = tx.one("SELECT coalesce(max(number), 0) + 1 FROM access_rules WHERE user_id = ?", [wanted.user_id])
    return records.insert(tx, wanted.with_(number=row[0] if row else 1))


def of_credentials(tx: Transaction, credential_ids: Iterable[str]) -> dict[str, list[AccessRule]]:
    """The rules of application credentials in the order in which they were asked for, by the credential's id."""
    found: dict[str, list[AccessRule]] = {}
    for credential_id in credential_ids:
        rows = tx.all(
            "SELECT access_rule_id FROM application_credential_access_rules WHERE application_credential_id = ? "
            "ORDER BY position, access_rule_id",
            [credential_id],
        )
        known = {rule.id: rule for rule in records.select_in(tx, AccessRule, "id", [row[0] for row in rows])}
        found[credential_id] = [known[row[0]] for row in rows]
    return found


def delete(tx: Transaction, user_id: str, rule_id: str) -> None:
    """Remove a rule that nothing has. Raises NotFound, Forbidden when an application credential still has it."""
    rule = get(tx, user_id, rule_id)
    used = tx.one("SELECT 1 FROM application_credential_access_rules WHERE access_rule_id = ?", [rule_id])
    if used is not None:
        raise Forbidden(
            f"You are not authorized to perform the requested action: May not delete access rule in use: {rule_id}."
        )
    records.remove(tx, rule)


@functools.lru_cache(maxsize=4096)
def _pattern(path: str) -> re.Pattern[str]:
    """``*`` and ``{name}`` stand for one segment of a path, ``**`` for any rest."""
    made = ""
    for part in _PART.finditer(path):
        if part["tag"] or part["wild"]:
            made += "[^/]+"
        elif part["rec"]:
            made += ".*"
        else:
            made += re.escape(part["literal"])
    return re.compile(made)


def covers(pattern: str, path: str) -> bool:
    """Whether a rule's path means a request's."""
    return _pattern(pattern).fullmatch(path) is not None
