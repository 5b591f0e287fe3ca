"""Access rules of a user, which come into being with application credentials."""

from minicloud.api.call import Call
from minicloud.api.identity import lists, views
from minicloud.api.identity.targets import SYSTEM_READER, target
from minicloud.api.identity.views import View
from minicloud.api.listing import equal
from minicloud.api.routes import Delete, Get
from minicloud.core.identity import access_rules, application_credentials, users
from minicloud.core.identity.access_rules import AccessRule
from minicloud.core.records import Condition, Transaction

READ = f"{SYSTEM_READER} or user_id:%(target.user.id)s"
DELETE = "(role:admin and system_scope:all) or user_id:%(target.user.id)s"

ACCESS_RULES = lists.listing(
    "access_rules", {name: equal(name) for name in ("service", "path", "method")}, sort="number"
)


def _judge(tx: Transaction, call: Call, user_id: str) -> None:
    call.judge(target(user=users.find(tx, user_id)))
    application_credentials.require_manager(call.context)


async def index(call: Call, user_id: str) -> View:
    """``GET /v3/users/{user_id}/access_rules``"""
    query = call.page.query
    query.where.append(Condition("user_id", "=", user_id))

    def read(tx: Transaction) -> list[AccessRule]:
        _judge(tx, call, user_id)
        return access_rules.page(tx, query)

    return views.listed(call, await call.read(read), views.access_rule)


async def show(call: Call, user_id: str, access_rule_id: str) -> View:
    """``GET /v3/users/{user_id}/access_rules/{access_rule_id}``"""

    def read(tx: Transaction) -> AccessRule:
        _judge(tx, call, user_id)
        return access_rules.get(tx, user_id, access_rule_id)

    return {"access_rule": views.access_rule(call, await call.read(read))}


async def delete(call: Call, user_id: str, access_rule_id: str) -> None:
    """``DELETE /v3/users/{user_id}/access_rules/{access_rule_id}``: one that nothing has."""

    def remove(tx: Transaction) -> None:
        _judge(tx, call, user_id)
        access_rules.delete(tx, user_id, access_rule_id)

    await call.write(remove)


_ALL, _ONE = "/users/{user_id}/access_rules", "/users/{user_id}/access_rules/{access_rule_id}"

routes = [
    Get(_ALL, index, policy="identity:list_access_rules", allow=READ, late=True, listing=ACCESS_RULES),
    Get(_ONE, show, policy="identity:get_access_rule", allow=READ, late=True),
    Delete(_ONE, delete, policy="identity:delete_access_rule", allow=DELETE, late=True),
]
