"""/address-scopes."""

from collections.abc import Sequence
from typing import Any

from minicloud.api.network import guard, values
from minicloud.api.network.attributes import OWNED, REQUIRED, Attribute, Resource
from minicloud.api.network.kinds import Kind, five
from minicloud.core.context import Context
from minicloud.core.network import address_scopes, rbac
from minicloud.core.network.rows import AddressScope
from minicloud.core.records import Transaction

SCOPE = Resource(
    "address_scope",
    "address_scopes",
    [
        Attribute("name", values.name, "", filter="text", sort=True),
        Attribute("shared", values.boolean, False, ruled=True, filter="special"),
        Attribute("ip_version", values.version, REQUIRED, change=False, filter="number", sort=True),
    ],
    has=OWNED,
)


def _view(tx: Transaction, context: Context, found: Sequence[AddressScope]) -> list[dict[str, Any]]:
    shared = set(rbac.shared_ids(tx, context, "address_scope"))
    return [
        {
            "id": scope.id,
            "name": scope.name,
            "tenant_id": scope.project_id,
            "project_id": scope.project_id,
            "ip_version": scope.ip_version,
            "shared": scope.id in shared,
        }
        for scope in found
    ]


def _target(tx: Transaction, context: Context, scope: AddressScope) -> dict[str, Any]:
    return {
        "project_id": scope.project_id,
        "tenant_id": scope.project_id,
        "shared": rbac.is_shared(tx, context, scope.id),
    }


_SHARING = {verb: {"shared": guard.ADMIN} for verb in ("create", "update")}

routes = five(
    Kind(
        resource=SCOPE,
        path="/address-scopes",
        core=address_scopes,
        view=_view,
        target=_target,
        read=f"{guard.ADMIN} or {guard.READER} or rule:shared_address_scopes",
        write=guard.ADMIN_OR_MEMBER,
        ruled=_SHARING,
        shared_as="address_scope",
        extra=[("shared_address_scopes", "field:address_scopes:shared=True")],
    )
)
