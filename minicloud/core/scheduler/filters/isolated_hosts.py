"""IsolatedHostsFilter: some hosts are for some images alone, by the settings."""

from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.options import SchedulerOptions
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Verdict

_GOOD = Verdict(True, "may have the image")


class IsolatedHostsFilter:
    """``isolated_images`` go to ``isolated_hosts`` only; others keep off these unless the setting allows it."""

    name = "IsolatedHostsFilter"

    def __init__(self, options: SchedulerOptions) -> None:
        self._hosts = frozenset(options.isolated_hosts)
        self._images = frozenset(options.isolated_images)
        self._restrict = options.restrict_isolated_hosts_to_isolated_images

    def passes(self, host: HostState, request: RequestSpec) -> Verdict:
        isolated_host, isolated_image = host.host in self._hosts, request.image_id in self._images
        if isolated_image and not isolated_host:
            return Verdict(False, f"is no isolated host, and image {request.image_id} is isolated")
        if isolated_host and not isolated_image and self._restrict:
            return Verdict(False, "is an isolated host, and the image is not isolated")
        return _GOOD
