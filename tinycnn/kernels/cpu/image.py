"""Object files laid out once: an image runs wherever it is mapped, so that a later start needs no linker.

Code and constants lie behind one another, and every relocation is the distance between two of them. Objects for which
that does not hold are no images, and are linked by LLVM.

Source: System V ABI, chapter 4, and its AMD64 supplement, section 4.4.
"""

import ctypes
import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass

MAGIC = b"tinycnn1"
X86_64, RELOCATABLE, SYMBOLS, RELOCATIONS, NO_BITS = 62, 1, 2, 4, 8
WRITE, ALLOC = 1, 2
PC32, PLT32, PC64 = 2, 4, 24


@dataclass(frozen=True)
class Section:
    name: str
    kind: int
    flags: int
    start: int
    size: int
    link: int
    info: int
    alignment: int

    @property
    def is_placed(self) -> bool:
        return bool(self.flags & ALLOC) and not self.name.startswith(".eh_frame")


def sections(data: bytes) -> list[Section]:
    table, count, names = struct.unpack_from("<Q", data, 0x28)[0], *struct.unpack_from("<HH", data, 0x3C)
    raw = [struct.unpack_from("<IIQQQQIIQQ", data, table + 64 * i) for i in range(count)]
    texts = raw[names][4]
    return [
        Section(text(data, texts + name), kind, flags, start, size, link, info, max(alignment, 1))
        for name, kind, flags, _, start, size, link, info, alignment, _ in raw
    ]


def text(data: bytes, start: int) -> str:
    return data[start : data.index(b"\0", start)].decode()


def relocations(data: bytes, section: Section) -> Iterator[tuple[int, int, int, int]]:
    """Offset in the section that they belong to, kind, number of the symbol, addend."""
    for at in range(section.start, section.start + section.size, 24):
        offset, info, addend = struct.unpack_from("<QQq", data, at)
        yield offset, info & 0xFFFFFFFF, info >> 32, addend


def make_image(data: bytes, symbol: str) -> bytes | None:
    """The image of an object file whose code begins at a symbol; None where it cannot be one."""
    if data[:6] != b"\x7fELF\x02\x01" or struct.unpack_from("<HH", data, 16) != (RELOCATABLE, X86_64):
        return None
    found = sections(data)
    places: dict[int, int] = {}
    image = bytearray()
    for i, s in enumerate(found):
        if s.is_placed:
            if s.flags & WRITE or s.alignment > mmap.PAGESIZE:
                return None
            image += bytes(-len(image) % s.alignment)
            places[i] = len(image)
            image += bytes(s.size) if s.kind == NO_BITS else data[s.start : s.start + s.size]
    [symbols] = [s for s in found if s.kind == SYMBOLS]
    entries = [struct.unpack_from("<IBBHQQ", data, at) for at in range(symbols.start, symbols.start + symbols.size, 24)]
    where = [places[e[3]] + e[4] if e[3] in places else None for e in entries]
    for s in found:
        if s.kind == RELOCATIONS and s.info in places:
            for offset, kind, number, addend in relocations(data, s):
                at, to = places[s.info] + offset, where[number]
                if to is None or kind not in (PC32, PLT32, PC64):
                    return None
                struct.pack_into("<q" if kind == PC64 else "<i", image, at, to + addend - at)
    names = [text(data, found[symbols.link].start + e[0]) for e in entries]
    start = where[names.index(symbol)]
    return None if start is None else MAGIC + struct.pack("<Q", start) + bytes(image)


def is_image(data: bytes) -> bool:
    return data.startswith(MAGIC)


def load(data: bytes) -> tuple[int, mmap.mmap]:
    """The address of an image's first instruction, and the memory that has to stay as long as it may run.

    Raises OSError when the system does not let memory be run.
    """
    [start], content = struct.unpack_from("<Q", data, len(MAGIC)), data[len(MAGIC) + 8 :]
    memory = mmap.mmap(-1, len(content), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ | mmap.PROT_WRITE)
    memory[: len(content)] = content
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    if ctypes.CDLL(None, use_errno=True).mprotect(
        ctypes.c_void_p(address), ctypes.c_size_t(len(content)), mmap.PROT_READ | mmap.PROT_EXEC
    ):
        raise OSError(ctypes.get_errno(), "memory cannot be made executable")
    return address + int(start), memory
