"""In which order several processes take the files of tests, so that whoever waits for a guest keeps no processor from the others.

A story of guests (they boot, and are waited for) takes up to a minute and is one test or five. xdist begins with the files of most
tests, which leaves all these stories to the end, where they get in each other's way. Here some of the processes begin with
them, while the others do what only computes; whoever is done with his own helps the others.
"""

import os
from typing import Any

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

WAITING = ("tests/journeys/", "tests/crash/", "tests/guest/")
"""Where tests wait for guests and other processes."""
LONG = ("_qemu", "_boots", "_kill", "_survival", "test_samples", "tests/conductor/")
"""Parts of the names of files that take long for the number of their tests (guests, contracts of sagas): none is left to the end."""


def processes() -> int:
    """One more than there are processors: so many can go on while one waits."""
    return len(os.sched_getaffinity(0)) + 1


class Turns(LoadFileScheduling):  # type: ignore[misc]
    """A third of the processes, or half of many, take first what waits."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        waiting = sum(self._waits(other) for other in self.nodes if other is not node)
        wish = waiting < max(1, len(self.nodes) // 2)
        # Of equals the first: xdist has put those of most tests there.
        best = min(
            self.workqueue, key=lambda file: (file.startswith(WAITING) != wish, not any(part in file for part in LONG))
        )
        self.workqueue.move_to_end(best, last=False)
        super()._assign_work_unit(node)

    def _waits(self, node: WorkerController) -> bool:
        """Whether it has something of that kind in hand."""
        units: dict[str, Any] = self.assigned_work[node]
        return any(file.startswith(WAITING) and not all(tests.values()) for file, tests in units.items())
