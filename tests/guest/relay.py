"""Joins standard input and output to a unix socket: what QEMU's ``guestfwd ... -cmd:`` starts for every connection of a guest."""

import os
import socket
import sys
import threading


def main() -> None:
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(sys.argv[1])

    def outwards() -> None:
        while data := os.read(0, 65536):
            peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)

    threading.Thread(target=outwards, daemon=True).start()
    while data := peer.recv(65536):
        os.write(1, data)


if __name__ == "__main__":
    main()
