"""A guest in 512 bytes: prints a line on the serial console, then obeys the power button and one-letter commands.

``o`` powers off, ``r`` resets, other bytes are echoed; devices that it is asked to give back it lets go of. It boots in a fifth of a second, sleeps by ``hlt`` and needs no image.
"""

READY = b"boot sector ready\r\n"
POWER_DOWN = b"Power down\r\n"

_ORIGIN = 0x7C00


class _Code:
    """Bytes of 16-bit code with short jumps to names."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._labels: dict[str, int] = {}
        self._jumps: list[tuple[int, str]] = []
        self._addresses: list[tuple[int, str]] = []

    def emit(self, code: str) -> None:
        self._bytes += bytes.fromhex(code)

    def data(self, content: bytes) -> None:
        self._bytes += content

    def label(self, name: str) -> None:
        self._labels[name] = len(self._bytes)

    def jump(self, opcode: str, name: str) -> None:
        self.emit(opcode)
        self._jumps.append((len(self._bytes), name))
        self.emit("00")

    def call(self, name: str) -> None:
        self.emit("e8 00 00")
        self._addresses.append((len(self._bytes) - 2, "+" + name))

    def load_address(self, opcode: str, name: str) -> None:
        self.emit(opcode + "00 00")
        self._addresses.append((len(self._bytes) - 2, name))

    def sector(self) -> bytes:
        for at, name in self._jumps:
            distance = self._labels[name] - (at + 1)
            assert -128 <= distance <= 127, name
            self._bytes[at] = distance & 0xFF
        for at, name in self._addresses:
            relative = name.startswith("+")
            value = self._labels[name.lstrip("+")] + (-(at + 2) if relative else _ORIGIN)
            self._bytes[at : at + 2] = (value & 0xFFFF).to_bytes(2, "little")
        assert len(self._bytes) <= 446
        return bytes(self._bytes).ljust(510, b"\0") + b"\x55\xaa"


def boot_disk(*, obeys_power_button: bool = True, lets_go: bool = True, size: int = 2 << 20) -> bytes:
    """A raw disk that boots into the tiny guest on q35 by BIOS, which boots from no disk of less than a cylinder."""
    code = _Code()
    code.emit("31 c0 8e d8 fc")  # xor ax,ax; mov ds,ax; cld
    code.load_address("be", "ready")  # mov si,ready
    code.call("print")
    code.emit("ba 02 06 b8 00 01 ef")  # out 0x602,0x0100: ACPI notes the power button
    code.label("wait")
    code.emit("fb f4")  # sti; hlt: the timer wakes us 18 times a second
    if lets_go:
        # ACPI's hot plug: of every bus (32 are asked) read which slots shall go, and eject them.
        code.emit("66 31 db")  # xor ebx,ebx
        code.label("bus")
        code.emit("66 89 d8 ba d0 0c 66 ef")  # mov eax,ebx; mov dx,0xcd0; out dx,eax
        code.emit("ba c4 0c 66 ed 66 85 c0")  # mov dx,0xcc4; in eax,dx; test eax,eax
        code.jump("74", "next")
        code.emit("ba c8 0c 66 ef")  # mov dx,0xcc8; out dx,eax
        code.label("next")
        code.emit("43 83 fb 20")  # inc bx; cmp bx,32
        code.jump("75", "bus")
    code.emit("ba fd 03 ec a8 01")  # in al,0x3fd; test al,1
    code.jump("74", "button")  # jz
    code.emit("ba f8 03 ec 3c 6f")  # in al,0x3f8; cmp al,'o'
    code.jump("74", "off")
    code.emit("3c 72")  # cmp al,'r'
    code.jump("74", "reset")
    code.emit("ee")  # out dx,al
    code.jump("eb", "wait")
    code.label("button")
    code.emit("ba 00 06 ed f6 c4 01")  # in ax,0x600; test ah,1
    code.jump("74" if obeys_power_button else "eb", "wait")
    code.label("off")
    code.load_address("be", "bye")
    code.call("print")
    code.emit("ba 04 06 b8 00 20 ef fa f4")  # out 0x604,0x2000: soft off; cli; hlt
    code.label("reset")
    code.emit("ba f9 0c b0 06 ee fa f4")  # out 0xcf9,6; cli; hlt
    code.label("print")
    code.emit("ac 84 c0")  # lodsb; test al,al
    code.jump("74", "printed")
    code.emit("ba f8 03 ee")  # out 0x3f8,al
    code.jump("eb", "print")
    code.label("printed")
    code.emit("c3")
    code.label("ready")
    code.data(READY + b"\0")
    code.label("bye")
    code.data(POWER_DOWN + b"\0")
    return code.sector().ljust(size, b"\0")
