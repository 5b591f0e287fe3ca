"""``minicloud up``: start a cloud, in the foreground or behind, and say how to use it."""

import inspect
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from minicloud.cli import show
from minicloud.cli.folder import Folder, Running, in_use
from minicloud.cli.options import with_settings
from minicloud.cli.welcome import welcome

if TYPE_CHECKING:
    from minicloud.cli.serve import Up

_DETACH = typer.Option("--detach", "-d", help="Start in the background and wait until it answers.")
_WAIT = typer.Option(
    "--wait/--no-wait", help="Return when the cloud answers (implies --detach); or do not wait for that."
)


def _up(detach: bool, wait: bool | None, **given: Any) -> None:
    """Start a cloud.

    It stays in the foreground until Ctrl-C, or goes to the background with --detach. Servers go on running when the cloud
    stops, and are found again at its next start, unless --stop-servers is given.

    Example: minicloud up --detach

    Example: minicloud up --driver fake --hosts 3 --port 0 --data /tmp/class --detach
    """
    from minicloud import settings

    found = settings.load(given)
    folder = Folder(found.settings.data)
    behind = detach or wait is True
    if folder.locked():
        running = _of_another(folder, found, behind=behind)
        print(f"minicloud is up already at {running.url} (process {running.pid}, data {folder.path})")
        return
    if behind:
        from minicloud.cli import background

        show.lines(background.start(found, wait=wait is not False))
        return
    _before(found)


up = with_settings(
    _up,
    [
        inspect.Parameter("detach", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Annotated[bool, _DETACH]),
        inspect.Parameter(
            "wait", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[bool | None, _WAIT]
        ),
    ],
)


def _of_another(folder: Folder, found: Any, *, behind: bool) -> Running:
    """The cloud that is up in this folder already, if it is what was asked for. Raises Conflict."""
    from minicloud.cli import background

    running = folder.running()
    if running is None:
        if not behind:
            raise in_use(folder)
        running = background.wait_for(folder)
    for name, source in found.sources.items():
        wanted = getattr(found.settings, name)
        if source == "flag" and name in running.settings and wanted != running.settings[name]:
            if (name == "port" and wanted in (0, running.port)) or wanted == "auto":
                continue
            raise in_use(folder)
    return running


def _before(found: Any) -> None:
    """In the foreground."""
    from minicloud.cli import library, memory

    began = time.time()
    memory.starting()
    library.lock_less()
    with show.progress("starting") as tell:
        tell("loading")
        from minicloud.cli import serve

        def ready(up: "Up") -> None:
            print("\n".join(welcome(up, found.settings.data)), flush=True)
            tell("serving; Ctrl-C stops the cloud" if sys.stderr.isatty() else "serving")

        serve.run(found, tell=tell, ready=ready, began=began)
    print("minicloud has stopped")
