"""Builds that no other host is asked for, in Nova's words: what went wrong would go wrong everywhere."""

from minicloud.base import trace
from minicloud.base.errors import Aborted, CloudError


def aborted(server_id: str, reason: str, *, cause: str | None = None, kind: str | None = None) -> Aborted:
    """The failure of a server's build, for this reason (nova 34: ``BuildAbortException``)."""
    return Aborted(f"Build of instance {server_id} aborted: {reason}", kind=kind, cause=cause)


def no_network(server_id: str, network_id: str | None, error: CloudError) -> Aborted:
    """The failure of a build whose ports could not be had; Nova tells only of addresses what was wrong."""
    if error.kind == "IpAddressGenerationFailure" and network_id is not None:
        reason = (
            f"Failed to allocate the network(s) with error No fixed IP addresses available for network: {network_id}, "
            "not rescheduling."
        )
    else:
        reason = "Failed to allocate the network(s), not rescheduling."
    trace.note("ports_not_had", server=server_id, why=error.message)
    return aborted(server_id, reason, cause=error.message)
