"""What made tokens void (OS-REVOKE), for services that check tokens by themselves."""

from datetime import UTC, datetime

from minicloud.api.call import Call
from minicloud.api.identity import views
from minicloud.api.identity.views import View
from minicloud.api.routes import Get
from minicloud.base.clock import stamp
from minicloud.base.errors import Invalid
from minicloud.core.identity import revocations
from minicloud.core.identity.revocations import Revocation

_NAMES = {
    "user_id": "user_id",
    "project_id": "project_id",
    "domain_id": "domain_id",
    "trust_id": "OS-TRUST:trust_id",
    "audit_id": "audit_id",
    "audit_chain_id": "audit_chain_id",
}


def _view(found: Revocation) -> View:
    when = f"{found.issued_before}Z"
    told = {name: getattr(found, column) for column, name in _NAMES.items() if getattr(found, column) is not None}
    return {**told, "issued_before": when, "revoked_at": when}


async def index(call: Call) -> View:
    """``GET /v3/OS-REVOKE/events``, perhaps only those ``since`` a moment."""
    text = call.parameter("since")
    when = ""
    if text:
        try:
            found = datetime.fromisoformat(text.replace(" ", "+"))
            when = stamp(found.replace(tzinfo=UTC) if found.tzinfo is None else found)
        except (ValueError, OverflowError) as error:
            raise Invalid(f"invalidate date format {text}") from error
    events = await call.read(lambda tx: revocations.since(tx, when))
    return views.collection(call, "events", [_view(event) for event in events])


routes = [Get("/OS-REVOKE/events", index, policy="identity:list_revoke_events", allow="rule:service_or_admin")]
