"""Errors by meaning, never by status: raised anywhere, turned to each service's own dialect at the one door (api/faults.py).

An error tells the person who reads it what is wrong and what to do next. ``kind`` is the stable name that some dialects
show (Neutron's ``NetworkNotFound``, Placement's ``placement.concurrent_update``); ``detail`` holds plain facts for the trace.
"""

from typing import Any, ClassVar

import msgspec


class CloudError(Exception):
    """What every foreseen failure is: a meaning (the class), a message for people, and plain facts."""

    meaning: ClassVar[str] = "failed"

    def __init__(self, message: str, *, kind: str | None = None, **detail: Any) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.detail = detail

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r})"


class Invalid(CloudError):
    """The request makes no sense: malformed, wrong type, out of range."""

    meaning = "invalid"


class Unauthenticated(CloudError):
    """Nobody knows who is asking."""

    meaning = "unauthenticated"


class Forbidden(CloudError):
    """Known, and not allowed."""

    meaning = "forbidden"


class NotFound(CloudError):
    """It is not there, or not there for whoever asks."""

    meaning = "not_found"


class MethodNotAllowed(CloudError):
    """The path exists, the method on it does not. ``detail['allow']`` lists the methods that do."""

    meaning = "method_not_allowed"


class NotAcceptable(CloudError):
    """No representation or microversion that the client accepts."""

    meaning = "not_acceptable"


class Conflict(CloudError):
    """The state of things does not allow it now."""

    meaning = "conflict"


class Gone(CloudError):
    """It was there and has been removed for good."""

    meaning = "gone"


class PreconditionFailed(CloudError):
    """An If-Match did not match."""

    meaning = "precondition_failed"


class TooLarge(CloudError):
    """More bytes or items than a limit allows."""

    meaning = "too_large"


class UnsupportedMedia(CloudError):
    """A content type that is not understood here."""

    meaning = "unsupported_media"


class RangeNotSatisfiable(CloudError):
    """A Range that lies outside of the data."""

    meaning = "range_not_satisfiable"


class OverQuota(CloudError):
    """A quota would be exceeded."""

    meaning = "over_quota"


class NotOffered(CloudError):
    """A feature that this cloud does not have: 501 and a line in the conformance ledger."""

    meaning = "not_offered"


class Unavailable(CloudError):
    """Something that is needed is away or missing now; trying later or elsewhere may help."""

    meaning = "unavailable"


class TimedOut(Unavailable):
    """Nobody answered in time; whether it was done is not known."""

    meaning = "timed_out"


class NoValidHost(CloudError):
    """No host can take this server."""

    meaning = "no_valid_host"


class Aborted(CloudError):
    """Work that has come to its end: another try would meet the same. ``detail['cause']`` says more than users are told."""

    meaning = "aborted"


class Failed(CloudError):
    """The outside world (a program, a guest, a file) did not do its part."""

    meaning = "failed"


class ToolMissing(Unavailable):
    """A program is not installed; the message names the package that has it."""

    meaning = "tool_missing"


class ToolFailed(Failed):
    """A program ended with an error or took too long; ``detail`` has argv, code and stderr."""

    meaning = "tool_failed"


def _family(root: type[CloudError]) -> dict[str, type[CloudError]]:
    found = {root.meaning: root}
    for child in root.__subclasses__():
        found.update(_family(child))
    return found


class ErrorFacts(msgspec.Struct, frozen=True):
    """An error as it travels in a message or rests in a row."""

    meaning: str
    message: str
    kind: str | None = None
    detail: dict[str, Any] = {}


def to_facts(error: CloudError) -> ErrorFacts:
    """Plain facts of an error; details that do not survive encoding are written out as text."""
    detail: dict[str, Any] = msgspec.to_builtins(error.detail, enc_hook=str, str_keys=True)
    return ErrorFacts(error.meaning, error.message, error.kind, detail)


def from_facts(facts: ErrorFacts) -> CloudError:
    """The error again, of the same meaning; an unknown meaning becomes ``Failed``."""
    family = _family(CloudError)
    family["failed"] = Failed
    return family.get(facts.meaning, Failed)(facts.message, kind=facts.kind, **facts.detail)
