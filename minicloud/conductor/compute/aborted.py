"""Builds that no other host is asked for, in Nova's words: what went wrong would go wrong everywhere."""

from typing import ClassVar

from minicloud.base import trace
from minicloud.base.errors import CloudError


class Aborted(CloudError):
    """A build that has come to its end (nova 34: ``BuildAbortException``). ``cause`` in its details says more than users are told."""

    meaning: ClassVar[str] = "aborted"


def aborted(server_id: str, reason: str, *, cause: str | None = None, kind: str | None = None) -> Aborted:
    """The failure of a server's build, for this reason."""
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
