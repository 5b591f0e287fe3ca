"""``minicloud up``: start a cloud, in the foreground or behind, and say how to use it."""

import inspect
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from minicloud.cli import show
from minicloud.cli.folder import Folder, Running, in_use
from minicloud.cli.options import with_settings

if TYPE_CHECKING:
    from minicloud.cli.serve import Up

_DETACH = typer.Option("--detach", "-d", help="Start in the background and wait until it answers.")
_WAIT = typer.Option(
    "--wait/--no-wait", help="Return when the cloud answers (implies --detach); or do not wait for that."
)
_TELL = typer.Option("--tell", hidden=True, help="A pipe to whoever started this in the background.")


def _up(detach: bool, wait: bool | None, tell: int | None, **given: Any) -> None:
    """Start a cloud.

    It stays in the foreground until Ctrl-C, or goes to the background with --detach. Servers go on running when the cloud
    stops, and are found again at its next start, unless --stop-servers is given.

    Example: minicloud up --detach

    Example: minicloud up --driver fake --hosts 3 --port 0 --data /tmp/class --detach
    """
    from minicloud import settings

    found = settings.load(given)
    if tell is not None:
        _behind(found, tell)
        return
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
        inspect.Parameter(
            "tell", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[int | None, _TELL]
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
    began = time.time()
    with show.progress("starting") as tell:
        tell("loading")
        from minicloud.cli import serve

        def ready(up: "Up") -> None:
            print("\n".join(told(up, found.settings.data)), flush=True)
            tell("serving; Ctrl-C stops the cloud" if sys.stderr.isatty() else "serving")

        serve.run(found, tell=tell, ready=ready, began=began)
    print("minicloud has stopped")


def _behind(found: Any, descriptor: int) -> None:
    """In the background, telling whoever waits."""
    from minicloud.cli import background

    began = time.time()
    pipe = background.teller(descriptor)

    def ready(up: "Up") -> None:
        pipe.up(told(up, found.settings.data))

    try:
        from minicloud.cli import serve

        serve.run(found, tell=pipe.progress, ready=ready, began=began)
    except BaseException as error:
        words = show.words_of(error)
        pipe.error(words)
        print(f"error: {words}", file=sys.stderr)
        raise typer.Exit(1) from error
    finally:
        pipe.close()


def told(up: "Up", data: str) -> list[str]:
    """What is printed when the cloud answers: address, credentials, three next commands."""
    running, settings = up.running, up.running.settings
    option = Folder(data).option()
    hosts = "1 host" if settings["hosts"] == 1 else f"{settings['hosts']} hosts"
    driver = {"qemu": "real guests on QEMU", "fake": "simulated servers"}.get(settings["driver"], settings["driver"])
    return [
        f"minicloud is up at {running.url} after {show.duration(up.seconds)} (process {running.pid})",
        f"  servers  {driver}, {hosts}",
        f"  admin    user admin, project admin, password {up.passwords['admin']}",
        f"  demo     user demo, project demo, password {up.passwords['demo']}",
        f"  data     {data}",
        "Next:",
        f'  eval "$(minicloud env{option})"',
        "  openstack server create --image minilinux --flavor m1.tiny --network private --wait web",
        f"  minicloud explain{option} web",
    ]
