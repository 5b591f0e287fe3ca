"""ComputeCapabilitiesFilter: what a flavor's extra specs ask of the host itself (``capabilities:...``)."""

from minicloud.core.operators import meets
from minicloud.core.scheduler.capabilities import capabilities, found_in
from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Verdict

_NOTHING = Verdict(True, "no capabilities are asked for", for_all=True)
_NOTHING_HERE = Verdict(True, _NOTHING.why)
_GOOD = Verdict(True, "has the capabilities that the flavor asks for")


class ComputeCapabilitiesFilter:
    """Keys ``capabilities:path:to:value``, and keys without a scope that are a host's own."""

    name = "ComputeCapabilitiesFilter"

    def passes(self, host: HostState, request: RequestSpec) -> Verdict:
        if not request.extra_specs:
            return _NOTHING
        asked = False
        known: dict[str, object] | None = None
        for key, wanted in request.extra_specs.items():
            path = key.split(":")
            if key == "hw:maxphysaddr_bits":
                path, wanted = ["cpu_info", "maxphysaddr", "bits"], f">= {wanted}"
            elif path[0] == "capabilities":
                path = path[1:]
            elif len(path) > 1:
                continue
            known = capabilities(host) if known is None else known
            if len(path) == 1 and key == path[0] and key not in known:
                continue  # a key without a scope that no host has is meant for another filter
            asked = True
            value = found_in(known, path)
            if value is None:
                return Verdict(False, f"has no capability {'.'.join(path)}, and {wanted} is wanted")
            if not meets(str(value), wanted):
                return Verdict(False, f"has {'.'.join(path)} {value}, and {wanted} is wanted")
        return _GOOD if asked else _NOTHING_HERE
