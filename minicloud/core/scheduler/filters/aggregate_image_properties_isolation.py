"""AggregateImagePropertiesIsolation: a host's aggregates say which values of an image's properties they take."""

from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.options import SchedulerOptions
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Verdict

_GOOD = Verdict(True, "its aggregates allow the image")


class AggregateImagePropertiesIsolation:
    """A key of the metadata that the image has, too, must list the image's value. With a namespace only its keys count."""

    name = "AggregateImagePropertiesIsolation"

    def __init__(self, options: SchedulerOptions) -> None:
        namespace = options.aggregate_image_properties_isolation_namespace
        self._prefix = namespace + options.aggregate_image_properties_isolation_separator if namespace else ""

    def passes(self, host: HostState, request: RequestSpec) -> Verdict:
        for key, allowed in host.described.metadata.items():
            value = request.image_properties.get(key) if key.startswith(self._prefix) else None
            if value and value not in allowed:
                return Verdict(False, f"takes images with {key} {' or '.join(sorted(allowed))}, not {value}")
        return _GOOD
