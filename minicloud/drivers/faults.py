"""A script of faults for simulated drivers: which verb, on which host, for which target, is late, fails, or fails after its work.

Everything is counted, nothing is random: the same script against the same calls gives the same story. The script is a
plain struct, so that it can come from a test, a file or an API.
"""

from fnmatch import fnmatchcase

import anyio
import msgspec

from minicloud.base import trace
from minicloud.base.errors import CloudError, ErrorFacts, Invalid, from_facts


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One line of the script.

    ``verb`` (``ensure_running``), ``host`` and ``target`` (a machine's id, an image's checksum) are names or patterns with
    ``*``. Of the calls that match, the first ``skip`` go free and the next ``count`` (None: all) meet the fault: they wait
    ``delay_s`` seconds, and raise ``error`` if there is one; ``after`` raises it when the work has been done nevertheless.
    """

    verb: str = "*"
    host: str = "*"
    target: str = "*"
    skip: int = 0
    count: int | None = 1
    delay_s: float = 0.0
    error: ErrorFacts | None = None
    after: bool = False


class FaultScript:
    """The faults that are still to come. The first line that matches a call is the one that it meets."""

    def __init__(self, faults: list[Fault] | None = None) -> None:
        self._faults: list[Fault] = []
        self.armed = False
        self.set(faults or [])

    def set(self, faults: list[Fault]) -> None:
        """Replace the whole script."""
        self._faults = [msgspec.structs.replace(fault) for fault in faults]
        self.armed = bool(self._faults)

    def add(self, fault: Fault) -> None:
        """One more line at the end."""
        self.set([*self._faults, fault])

    def load(self, text: bytes) -> None:
        """Replace the script by a JSON list of faults. Raises Invalid, naming what is wrong."""
        try:
            self.set(msgspec.json.decode(text, type=list[Fault]))
        except msgspec.MsgspecError as error:
            raise Invalid(f"the fault script is not valid: {error}") from error

    def remaining(self) -> list[Fault]:
        """What is still to come, with the counts that are left."""
        return [msgspec.structs.replace(fault) for fault in self._faults]

    async def meet(self, verb: str, host: str, target: str) -> CloudError | None:
        """To be called before the work of a verb, when ``armed``: waits, raises, or returns an error to raise after it."""
        fault = self._next(verb, host, target)
        if fault is None:
            return None
        trace.note("fault", verb=verb, host=host, target=target, delay_s=fault.delay_s, error=_message(fault))
        if fault.delay_s:
            await anyio.sleep(fault.delay_s)
        error = from_facts(fault.error) if fault.error is not None else None
        if error is not None and not fault.after:
            raise error
        return error

    def _next(self, verb: str, host: str, target: str) -> Fault | None:
        for fault in self._faults:
            if not (
                fnmatchcase(verb, fault.verb) and fnmatchcase(host, fault.host) and fnmatchcase(target, fault.target)
            ):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                return None
            if fault.count is not None:
                fault.count -= 1
                if fault.count <= 0:
                    # By identity: two equal lines are two faults.
                    self._faults = [other for other in self._faults if other is not fault]
                    self.armed = bool(self._faults)
            return fault
        return None


def _message(fault: Fault) -> str:
    return fault.error.message if fault.error is not None else ""
