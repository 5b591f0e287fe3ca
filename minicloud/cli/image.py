"""``minicloud image``: the guest image minilinux, built here; and images put into a cloud from files."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from minicloud.cli import show
from minicloud.cli.options import Data, Json, folder_of

app = typer.Typer(help="The guest image minilinux, and images from files.", no_args_is_help=True)


@app.command("build")
def build(
    force: Annotated[bool, typer.Option("--force", help="Ask the archive for newer packages first.")] = False,
    json: Json = False,
) -> None:
    """Build the guest image minilinux from Debian packages; at once when it is built already."""
    import anyio

    from minicloud import guest
    from minicloud.settings import guest_cache

    async def work(progress: Callable[[str, int, int], None]) -> guest.GuestImage:
        return await guest.build(guest_cache(), progress=progress, force=force)

    with _bar("building minilinux") as progress:
        image = anyio.run(work, progress)
    if json:
        show.as_json(image)
    else:
        print(f"minilinux {image.version} is ready: {image.disk} ({image.disk.stat().st_size >> 20} MiB)")


@app.command("list")
def list_(data: Data = None, json: Json = False) -> None:
    """List the images of the cloud, and the built guest image."""
    from minicloud import guest
    from minicloud.cli.reading import read
    from minicloud.operations import offline
    from minicloud.settings import guest_cache

    built = guest.cached(guest_cache())
    folder = folder_of(data)
    known: list[dict[str, Any]] = []
    if offline.has_records(folder.path) or folder.running() is not None:
        known = read(folder, "images", list[dict[str, Any]])
    if json:
        show.as_json({"built": built, "images": known})
        return
    print("built here: " + (f"minilinux {built.version}" if built else "nothing yet, see `minicloud image build`"))
    columns = ["id", "name", "status", "format", "size", "visibility"]
    show.table(columns, [[image[name] for name in columns] for image in known], nothing="the cloud has no images")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A disk: qcow2, raw or another format that QEMU knows.")],
    name: Annotated[str | None, typer.Option(help="The image's name. Default: the file's.")] = None,
    disk_format: Annotated[str | None, typer.Option("--disk-format", help="Default: by the file's ending.")] = None,
    user: Annotated[str, typer.Option(help="Whose image: admin or demo.")] = "admin",
    public: Annotated[bool, typer.Option("--public", help="Let all projects use it (admin only).")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Upload a file as an image, through the cloud's own API.

    Example: minicloud image import debian-12-genericcloud-amd64.qcow2 --name debian --public
    """
    from minicloud.cli import upload

    folder = folder_of(data)
    folder.need_running()
    with _bar(f"uploading {file.name}") as progress:
        image = upload.image(
            folder,
            file,
            name=name or file.stem,
            disk_format=disk_format,
            user=user,
            public=public,
            progress=lambda done, total: progress("uploading", done, total),
        )
    if json:
        show.as_json(image)
    else:
        print(f"{image['name']} is {image['status']}: {image['id']}")


@contextmanager
def _bar(title: str) -> Iterator[Callable[[str, int, int], None]]:
    """A bar on a terminal, else a line for each new thing that is done."""
    if not sys.stderr.isatty():
        said = [""]

        def plain(words: str, done: int, total: int) -> None:
            what = words.partition(" (")[0]
            if what != said[0]:
                said[0] = what
                print(f"  {what}", file=sys.stderr, flush=True)

        yield plain
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(escape(title), total=None)
        yield lambda words, done, total: bars.update(task, description=escape(words), completed=done, total=total)
