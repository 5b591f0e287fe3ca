"""Policy documents that clients keep here for services to fetch. Nothing in this cloud reads them: its own rules are in policy.yaml."""

from typing import Any

import msgspec

from minicloud.base.errors import NotFound
from minicloud.core import records
from minicloud.core.identity.catalog import Endpoint, Region, Service
from minicloud.core.records import Query
from minicloud.engines.database import Transaction


class Policy(records.Record, kw_only=True):
    """A policy document."""

    TABLE = "policies"
    MISSING = "Could not find policy: {id}."

    id: str
    type: str
    blob: str
    extra: dict[str, Any] = {}


class Meant(msgspec.Struct, frozen=True):
    """What a policy is for: an endpoint, a service, or a service in a region."""

    endpoint_id: str = ""
    service_id: str = ""
    region_id: str = ""

    @property
    def key(self) -> list[str]:
        """As the table has it."""
        return [self.endpoint_id, self.service_id, self.region_id]


def page(tx: Transaction, query: Query) -> list[Policy]:
    """One page of documents."""
    return records.page(tx, Policy, query)


def get(tx: Transaction, id: str) -> Policy:
    """The document with this id. Raises NotFound."""
    return records.get(tx, Policy, id)


def update(tx: Transaction, id: str, changes: dict[str, Any], extra: dict[str, Any]) -> Policy:
    """Change a document. Raises NotFound."""
    old = get(tx, id)
    if extra:
        changes["extra"] = {**old.extra, **extra}
    return records.change(tx, old, **changes) if changes else old


def delete(tx: Transaction, id: str) -> None:
    """Remove a document with what it was for. Raises NotFound."""
    records.remove(tx, get(tx, id))


def _check(tx: Transaction, policy_id: str, meant: Meant) -> None:
    get(tx, policy_id)
    if meant.endpoint_id:
        records.get(tx, Endpoint, meant.endpoint_id)
    if meant.service_id:
        records.get(tx, Service, meant.service_id)
    if meant.region_id:
        records.get(tx, Region, meant.region_id)


def associate(tx: Transaction, policy_id: str, meant: Meant) -> None:
    """Let a document be for something, in the place of another one. Raises NotFound."""
    _check(tx, policy_id, meant)
    tx.execute("DELETE FROM policy_associations WHERE endpoint_id = ? AND service_id = ? AND region_id = ?", meant.key)
    tx.execute(
        "INSERT INTO policy_associations (policy_id, endpoint_id, service_id, region_id) VALUES (?, ?, ?, ?)",
        [policy_id, *meant.key],
    )


def require(tx: Transaction, policy_id: str, meant: Meant) -> None:
    """Raises NotFound when a document is not for something."""
    _check(tx, policy_id, meant)
    found = tx.one(
        "SELECT 1 FROM policy_associations WHERE policy_id = ? AND endpoint_id = ? AND service_id = ? AND region_id = ?",
        [policy_id, *meant.key],
    )
    if found is None:
        raise NotFound("Could not find policy association.")


def dissociate(tx: Transaction, policy_id: str, meant: Meant) -> None:
    """Let a document no longer be for something. Raises NotFound."""
    _check(tx, policy_id, meant)
    tx.execute(
        "DELETE FROM policy_associations WHERE policy_id = ? AND endpoint_id = ? AND service_id = ? AND region_id = ?",
        [policy_id, *meant.key],
    )


def of_endpoint(tx: Transaction, endpoint_id: str) -> Policy:
    """The document for an endpoint: its own, its service's in its region or one above, its service's. Raises NotFound."""
    endpoint = records.get(tx, Endpoint, endpoint_id)
    wanted = [Meant(endpoint_id=endpoint.id)]
    region = records.find(tx, Region, endpoint.region_id)
    while region is not None:
        wanted.append(Meant(service_id=endpoint.service_id, region_id=region.id))
        region = records.find(tx, Region, region.parent_region_id)
    wanted.append(Meant(service_id=endpoint.service_id))
    for meant in wanted:
        found = tx.one(
            "SELECT policy_id FROM policy_associations WHERE endpoint_id = ? AND service_id = ? AND region_id = ?",
            meant.key,
        )
        if found is not None:
            return get(tx, found[0])
    raise NotFound(f"No policy is associated with endpoint {endpoint_id}.")


def endpoints_of(tx: Transaction, policy_id: str) -> list[Endpoint]:
    """The endpoints that a document is in effect for, by id. Raises NotFound."""
    get(tx, policy_id)
    found = []
    for endpoint in records.select(tx, Endpoint, "1 = 1 ORDER BY id"):
        try:
            if of_endpoint(tx, endpoint.id).id == policy_id:
                found.append(endpoint)
        except NotFound:
            continue
    return found
