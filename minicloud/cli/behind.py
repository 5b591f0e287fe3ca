"""The process of a cloud in the background: ``python -m minicloud.cli.behind DATA PIPE``, its flags in JSON on its standard input."""

import os
import sys
import time

import msgspec

from minicloud import settings
from minicloud.cli import library, memory, show
from minicloud.cli.background import Heard
from minicloud.cli.welcome import welcome


class Pipe:
    """Tells whoever waits what happens; nobody, once they have heard enough."""

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)
        self._descriptor: int | None = descriptor

    def tell(self, heard: Heard) -> None:
        """Write a line, unless nobody listens any more."""
        if self._descriptor is not None:
            try:
                os.write(self._descriptor, msgspec.json.encode(heard) + b"\n")
            except BrokenPipeError:
                self.close()

    def close(self) -> None:
        """Say no more."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def main(words: list[str]) -> None:
    """Run the cloud until it is stopped; exit code 1 when it could not be started."""
    began = time.time()
    memory.starting()
    library.lock_less()
    data, pipe = words[0], Pipe(int(words[1]))
    try:
        from minicloud.cli import serve

        def ready(up: serve.Up) -> None:
            pipe.tell(Heard(up=welcome(up, data)))
            pipe.close()

        found = settings.load(msgspec.json.decode(sys.stdin.buffer.read()))
        serve.run(found, tell=lambda text: pipe.tell(Heard(progress=text)), ready=ready, began=began)
    except BaseException as error:
        text = show.words_of(error)
        pipe.tell(Heard(error=text))
        print(f"error: {text}", file=sys.stderr)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main(sys.argv[1:])
