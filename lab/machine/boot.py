"""Getting at the kernel inside a bzImage, and booting that uncompressed in Bochs."""

import lzma
import os
import struct
import subprocess
import sys
import tempfile
import zlib

PT_LOAD = 1

ROM_ADDRESS = 0xD0000
ROM_SIZE = 1024
ROM_PARAMS = 16
SECTOR = 512
CYLINDER = 16 * 63 * SECTOR
MAX_SECTORS = 32768
MAX_LOADS = 12


class BootError(Exception):
    """The kernel image isn't what the lab can boot."""


def _decompress(payload):
    if payload.startswith(b"\x7fELF"):
        return payload
    if payload.startswith(b"\xfd7zXZ"):
        return lzma.LZMADecompressor().decompress(payload)
    if payload.startswith(b"\x1f\x8b"):
        return zlib.decompressobj(wbits=31).decompress(payload)
    tools = {b"\x28\xb5\x2f\xfd": ["zstd", "-dcq"], b"\x02\x21\x4c\x18": ["lz4", "-dc"]}
    tool = tools.get(payload[:4])
    if not tool:
        raise BootError("unknown compression of the kernel image")
    # The image's own length word follows the stream; the tools complain about it.
    return subprocess.run(tool, input=payload, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=False).stdout


def extract_vmlinux(bzimage):
    """Return the ELF image in a bzImage (Documentation/x86/boot: payload_offset)."""
    with open(bzimage, "rb") as f:
        data = f.read()
    if data[0x202:0x206] != b"HdrS":
        raise BootError(f"{bzimage} is no bzImage")
    setup_sects = data[0x1F1] or 4
    offset, length = struct.unpack_from("<II", data, 0x248)
    start = (setup_sects + 1) * 512 + offset
    elf = _decompress(data[start:start + length])
    if not elf.startswith(b"\x7fELF"):
        raise BootError(f"no ELF image in {bzimage}")
    return elf


def _segments(elf):
    phoff, = struct.unpack_from("<Q", elf, 32)
    phentsize, phnum = struct.unpack_from("<HH", elf, 54)
    for i in range(phnum):
        kind, _, offset, _, paddr, filesz, memsz, _ = struct.unpack_from(
            "<IIQQQQQQ", elf, phoff + i * phentsize)
        yield kind, offset, paddr, filesz, memsz


def entry(elf):
    """Return the physical address where the 64-bit boot protocol enters."""
    return struct.unpack_from("<Q", elf, 24)[0]


def flatten(elf):
    """Return (physical address, bytes) of all that the image wants in RAM."""
    loads = [s for s in _segments(elf) if s[0] == PT_LOAD and s[3]]
    base = min(s[2] for s in loads)
    image = bytearray(max(s[2] + s[3] for s in loads) - base)
    for _, offset, paddr, filesz, _ in loads:
        image[paddr - base:paddr - base + filesz] = elf[offset:offset + filesz]
    # RAM is zero to begin with.
    return base, bytes(image).rstrip(b"\0")


def boot_disk(pieces):
    """Lay out (address, bytes) pairs on a disk; return it and what the ROM is to load."""
    disk, loads = bytearray(SECTOR), []
    for address, content in pieces:
        sector, left = len(disk) // SECTOR, -(-len(content) // SECTOR)
        disk += content + bytes(-len(content) % SECTOR)
        while left:
            count = min(left, MAX_SECTORS)
            loads.append((sector, count, address))
            sector, left, address = sector + count, left - count, address + count * SECTOR
    if len(loads) > MAX_LOADS:
        raise BootError("kernel and initramfs are too large for the boot ROM")
    return bytes(disk + bytes(-len(disk) % CYLINDER)), loads


def memory_end(elf):
    """Return the first physical address after the image, its bss included."""
    return max(s[2] + s[4] for s in _segments(elf) if s[0] == PT_LOAD)


def boot_rom(source, start, cmdline, initrd, initrd_size, loads):
    """Return the option ROM that loads and enters the kernel; see boot.S."""
    with tempfile.TemporaryDirectory() as tmp:
        obj, elf, rom = (os.path.join(tmp, n) for n in ("o", "elf", "rom"))
        macros = {"ROM": ROM_ADDRESS, "ROM_BLOCKS": ROM_SIZE // 512, "PARAM_LOADS": MAX_LOADS}
        subprocess.run(["gcc", "-c", "-o", obj, source,
                        *(f"-D{k}={v}" for k, v in macros.items())], check=True)
        subprocess.run(["ld", "-Ttext=0", "-o", elf, obj], check=True)
        subprocess.run(["objcopy", "-O", "binary", "-j", ".text", elf, rom], check=True)
        with open(rom, "rb") as f:
            image = bytearray(f.read())
    if len(image) > ROM_SIZE:
        raise BootError("the boot ROM has outgrown its size")
    image += bytes(ROM_SIZE - len(image))
    words = [start, cmdline, initrd, initrd_size, *(w for load in loads for w in load)]
    struct.pack_into(f"<{len(words)}I", image, ROM_PARAMS, *words)
    image[-1] = -sum(image) & 0xFF
    return bytes(image)


if __name__ == "__main__":
    with open(sys.argv[2], "wb") as out:
        out.write(extract_vmlinux(sys.argv[1]))
