"""A program that joins its stdin and stdout to a socket; only the standard library, so that it starts in some milliseconds.

    python -I -S relay.py unix PATH
    python -I -S relay.py tcp ADDRESS PORT

Its ways out: 0 when both sides have ended, 1 (with words on stderr) when nobody answers.
"""

import os
import select
import socket
import sys
import threading


def join(there: socket.socket) -> None:
    """Carry bytes both ways until the other side ends; the end of stdin is passed on."""

    def send() -> None:
        try:
            while data := os.read(0, 65536):
                there.sendall(data)
            there.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        # A guest that is no more never answers: when whoever reads from us is gone as well, nobody waits for it.
        gone = select.poll()
        gone.register(1, 0)
        gone.poll()
        os._exit(0)

    threading.Thread(target=send, daemon=True).start()
    try:
        while data := there.recv(65536):
            view = memoryview(data)
            while view:
                view = view[os.write(1, view) :]
    except OSError:
        pass


def _dial(words: list[str]) -> socket.socket:
    if words[0] == "tcp":
        there = socket.create_connection((words[1], int(words[2])), timeout=30)
        there.settimeout(None)
        return there
    # A socket's path has room for 107 bytes: its last part nearly always fits.
    folder, name = os.path.split(os.path.abspath(words[1]))
    os.chdir(folder)
    there = socket.socket(socket.AF_UNIX)
    there.connect(name)
    return there


def main(words: list[str]) -> int:
    """The command line in this file's first lines."""
    if len(words) != {"unix": 2, "tcp": 3}.get(words[0] if words else ""):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        there = _dial(words)
    except OSError as error:
        print(f"cannot reach {' '.join(words[1:])}: {error}", file=sys.stderr)
        return 1
    join(there)
    # The sending thread may sit in read() for ever, and the interpreter's orderly end would wait for it.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
