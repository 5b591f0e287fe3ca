"""The hearts of the members that live in this very process: beating, or silent since a moment.

They are judged without any row: while the process lives and nobody silenced a member, it is alive, however busy the database
or late a write may be. Time is ``anyio.current_time``, which stands still while a laptop sleeps, so that nobody dies of that.
"""

import anyio

from minicloud.base.errors import NotFound


class Hearts:
    """Members of this process and, for those whose heart was stopped, since when."""

    def __init__(self, service_down_time_s: float) -> None:
        self._service_down_time_s = service_down_time_s
        self._silent_since: dict[str, float | None] = {}

    def __contains__(self, member: str) -> bool:
        return member in self._silent_since

    def start(self, member: str) -> None:
        self._silent_since[member] = None

    def forget(self, member: str) -> None:
        self._silent_since.pop(member, None)

    def silence(self, member: str) -> bool:
        """Stop a heart; whether it was beating. Raises NotFound."""
        if self._known(member) is not None:
            return False
        self._silent_since[member] = anyio.current_time()
        return True

    def resume(self, member: str) -> bool:
        """Let a heart beat; whether it was silent. Raises NotFound."""
        if self._known(member) is None:
            return False
        self._silent_since[member] = None
        return True

    def is_up(self, member: str) -> bool:
        since = self._silent_since[member]
        return since is None or anyio.current_time() - since <= self._service_down_time_s

    def down(self) -> set[str]:
        """The members of this process whose silence has lasted too long."""
        now = anyio.current_time()
        return {
            m
            for m, since in self._silent_since.items()
            if since is not None and now - since > self._service_down_time_s
        }

    def beating(self) -> list[str]:
        return [member for member, since in self._silent_since.items() if since is None]

    def _known(self, member: str) -> float | None:
        if member not in self._silent_since:
            raise NotFound(f"{member} has not joined in this process: its heart cannot be reached", kind="no_member")
        return self._silent_since[member]
