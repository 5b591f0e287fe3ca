"""``minicloud saga``: work of several steps, under way or done; and a demo that waits until it is told to go on."""

from typing import Annotated, Any

import typer

from minicloud.cli import show
from minicloud.cli.folder import CONTROL
from minicloud.cli.options import Data, Json, folder_of

app = typer.Typer(help="Work of several steps: what is under way, stuck, or done.", no_args_is_help=True)
demo = typer.Typer(
    help="A saga that waits until told: start it, kill the cloud, start the cloud, tell it.", no_args_is_help=True
)
app.add_typer(demo, name="demo")


@app.command("list")
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Those that have ended, too.")] = False,
    limit: Annotated[int, typer.Option(help="How many of the newest.")] = 50,
    data: Data = None,
    json: Json = False,
) -> None:
    """List the sagas that are under way or stuck, newest first.

    Example: minicloud saga list --all --limit 10
    """
    from minicloud.cli.reading import read
    from minicloud.operations.reads import Saga

    found: list[Saga] = read(folder_of(data), "sagas", list[Saga], ended=everything, limit=limit)
    if json:
        show.as_json(found)
        return
    rows = [(one.id, one.kind, one.state, one.resource, one.attempt, one.updated_at[:19], one.error) for one in found]
    columns = ["id", "kind", "state", "about", "attempt", "changed (UTC)", "error"]
    show.table(columns, rows, nothing="nothing is under way, nothing is stuck")


@demo.command("start")
def start(data: Data = None, json: Json = False) -> None:
    """Begin a demo; it waits for a word, also across restarts of the cloud."""
    made = _ask(data, do="start")
    if json:
        show.as_json(made)
    else:
        print(
            f"the demo {made['demo']} waits (saga {made['saga']}): go on with `minicloud saga demo tell {made['demo']}`"
        )


@demo.command("tell")
def tell(demo: Annotated[str, typer.Argument(help="The demo's id.")], data: Data = None) -> None:
    """Tell a demo to go on; it finishes."""
    print(f"the demo {_ask(data, do='tell', demo=demo)['demo']} was told to go on")


@demo.command("fail")
def fail(demo: Annotated[str, typer.Argument(help="The demo's id.")], data: Data = None) -> None:
    """Tell a demo to fail; it takes back what it did."""
    print(f"the demo {_ask(data, do='fail', demo=demo)['demo']} was told to fail")


def _ask(data: str | None, **given: Any) -> dict[str, Any]:
    from minicloud.cli import control

    folder = folder_of(data)
    folder.need_running()
    answer: dict[str, Any] = control.ask(folder.file(CONTROL), "demo", **given)
    return answer
