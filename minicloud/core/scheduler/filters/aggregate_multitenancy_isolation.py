"""AggregateMultiTenancyIsolation: hosts of an aggregate that names projects are theirs alone."""

from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Verdict

KEY = "filter_tenant_id"
_GOOD = Verdict(True, "is open to all projects")


class AggregateMultiTenancyIsolation:
    """``filter_tenant_id``, with any ending, lists projects. Those may go elsewhere, too."""

    name = "AggregateMultiTenancyIsolation"

    def passes(self, host: HostState, request: RequestSpec) -> Verdict:
        named = {one for key, values in host.described.metadata.items() if key.startswith(KEY) for one in values}
        if not named:
            return _GOOD
        if request.project_id in named:
            return Verdict(True, f"is kept for project {request.project_id}")
        return Verdict(False, f"is kept for {len(named)} other project{'' if len(named) == 1 else 's'}")
