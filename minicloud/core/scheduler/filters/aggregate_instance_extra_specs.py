"""AggregateInstanceExtraSpecsFilter: a flavor's extra specs must be met by the metadata of the host's aggregates."""

from minicloud.core.operators import meets
from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Verdict

SCOPE = "aggregate_instance_extra_specs"
_GOOD = Verdict(True, "its aggregates have what the flavor asks for")


class AggregateInstanceExtraSpecsFilter:
    """Keys without a scope, or of the scope ``aggregate_instance_extra_specs``, are asked for; one value that meets is enough."""

    name = "AggregateInstanceExtraSpecsFilter"

    def passes(self, host: HostState, request: RequestSpec) -> Verdict:
        for key, wanted in request.extra_specs.items():
            scope, colon, rest = key.partition(":")
            if colon and scope != SCOPE:
                continue
            name = rest if colon else key
            values = host.described.metadata.get(name)
            if not values:
                return Verdict(False, f"is in no aggregate with {name}, and {wanted} is wanted")
            if not any(meets(value, wanted) for value in values):
                return Verdict(False, f"is in an aggregate with {name} {', '.join(sorted(values))}, not {wanted}")
        return _GOOD
