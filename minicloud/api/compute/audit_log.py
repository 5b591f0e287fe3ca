"""The log of usage audits, which this cloud never runs: an empty one (``/os-instance_usage_audit_log``)."""

from datetime import UTC, datetime
from typing import Any

from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.routes import Get
from minicloud.base.errors import Invalid
from minicloud.core.policy import ADMIN

POLICY = "os_compute_api:os-instance-usage-audit-log"


async def index(call: Call) -> Any:
    """The audits of the last whole period, a month."""
    queries.only(call, since="2.102")
    return {"instance_usage_audit_logs": await _log(call, None)}


async def show(call: Call, before: str) -> Any:
    """The audits of the last whole period before a moment."""
    queries.only(call, since="2.102")
    try:
        at = datetime.strptime(before, "%Y-%m-%d %H:%M:%S.%f" if "." in before else "%Y-%m-%d %H:%M:%S")
    except ValueError as error:
        raise Invalid(f"Invalid timestamp for date {before}") from error
    return {"instance_usage_audit_log": await _log(call, at)}


async def _log(call: Call, before: datetime | None) -> dict[str, Any]:
    """Without audits Nova tells of no host: it looks for them in the cell where there never is one."""
    now = await call.read(lambda tx: tx.now)
    at = before or datetime.fromisoformat(now).astimezone(UTC).replace(tzinfo=None)
    end = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    begin = end.replace(year=end.year - (end.month == 1), month=(end.month - 2) % 12 + 1) if end.year > 1 else end
    return {
        "period_beginning": str(begin),
        "period_ending": str(end),
        "num_hosts": 0,
        "num_hosts_done": 0,
        "num_hosts_running": 0,
        "num_hosts_not_run": 0,
        "hosts_not_run": [],
        "total_instances": 0,
        "total_errors": 0,
        "overall_status": "ALL hosts done. 0 errors.",
        "log": {},
    }


routes = [
    Get("/os-instance_usage_audit_log", index, policy=f"{POLICY}:list", allow=ADMIN),
    Get("/os-instance_usage_audit_log/{before}", show, policy=f"{POLICY}:show", allow=ADMIN),
]
