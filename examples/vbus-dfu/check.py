#!/usr/bin/env python3
"""Goal: the example firmware is what a Cortex-M3 at reset needs, and its three files agree.
Method: read the ELF headers and the vector table here, by the ELF specification and PM0056 2.3.4; let
objcopy turn the HEX file back into bytes; look at the instructions of the jump with objdump.
Usage: check.py PATH_WITHOUT_SUFFIX VERSION OBJCOPY OBJDUMP"""
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

FLASH, FLASH_SIZE_LIMIT = 0x08000000, 2048
RAM, RAM_END = 0x20000000, 0x20010000
VECTORS = 16 + 68
RESERVED_VECTORS = {7, 8, 9, 10, 13}

base, version, objcopy, objdump = sys.argv[1:]
failures = []


def check(condition, what):
    if not condition:
        failures.append(what)


def load_segments(elf):
    check(elf[:6] == b"\x7fELF\x01\x01", "ELF: 32 bits, little-endian")
    machine, _, entry, phoff = struct.unpack_from("<HIII", elf, 18)
    check(machine == 40, "ELF: machine is ARM")
    size, count = struct.unpack_from("<HH", elf, 42)
    segments = []
    for i in range(count):
        kind, offset, vaddr, paddr, filesz, memsz = struct.unpack_from("<6I", elf, phoff + i * size)
        if kind == 1:
            segments.append((vaddr, paddr, elf[offset:offset + filesz], memsz))
    return entry, segments


elf = pathlib.Path(base + ".elf").read_bytes()
binary = pathlib.Path(base + ".bin").read_bytes()
entry, segments = load_segments(elf)

# What is flashed: the bytes of all segments at their physical addresses, from the start of flash.
flash = bytearray(b"\xff" * len(binary))
for vaddr, paddr, data, memsz in segments:
    check(FLASH <= paddr <= paddr + len(data) <= FLASH + len(binary), f"segment {paddr:#x} is in flash")
    flash[paddr - FLASH:paddr - FLASH + len(data)] = data
    if vaddr != paddr:
        check(RAM <= vaddr <= vaddr + memsz < RAM_END, f"segment {vaddr:#x} runs in RAM")
        check(memsz > len(data) > 0, "there are initialised and zeroed variables to set up")
check(len(segments) == 2, "two segments: code, and variables")
check(bytes(flash) == binary, "BIN holds the segments of the ELF file")
check(len(binary) < FLASH_SIZE_LIMIT, f"{len(binary)} bytes are less than {FLASH_SIZE_LIMIT}")

with tempfile.TemporaryDirectory() as folder:
    again = pathlib.Path(folder) / "hex.bin"
    subprocess.run([objcopy, "-I", "ihex", "-O", "binary", base + ".hex", again], check=True)
    check(again.read_bytes() == binary, "HEX and BIN agree")

vectors = struct.unpack_from(f"<{VECTORS}I", binary)
check(vectors[0] == RAM_END, f"initial stack {vectors[0]:#x} is the end of RAM")
check(vectors[1] == entry, "the ELF entry is the reset vector")
for number, vector in enumerate(vectors[1:], start=1):
    if number in RESERVED_VECTORS:
        check(vector == 0, f"vector {number} is reserved")
    else:
        inside = FLASH + VECTORS * 4 <= vector - 1 < FLASH + len(binary)
        check(vector % 2 == 1 and inside, f"vector {number}, {vector:#x}, is Thumb code in the image")
check(vectors[15] != vectors[2], "SysTick has a handler of its own")
text = f"vbus-dfu {version} STM32F105".encode() + b"\0"
check(binary[VECTORS * 4:].startswith(text), f"{text!r} follows the vector table")

listing = subprocess.run([objdump, "-d", "--no-show-raw-insn", base + ".elf"], check=True,
                         capture_output=True, text=True).stdout
jump = re.search(r"<\w*5startEm>:\n(.*?\sbx\s+r2)", listing, re.S)
check(jump, "the jump into the ROM is there")
if jump:
    code = [" ".join(line.split(";")[0].split("@")[0].split()[1:]) for line in jump[1].splitlines()]
    tail = ["msr MSP, r1", "cpsie i", "isb sy", "bx r2"]
    check(code[-4:] == tail, f"the jump ends with {tail}, not {code[-4:]}")
    check(not any(re.search(r"push|pop|\bsp\b", line) for line in code), "the jump uses no stack")
start_of_reset = r"<Reset_Handler>:\n(?:[^\n]*\spush\s[^\n]*\n)?[^\n]*\sbl\s[^\n]*enter_when_cable_present"
check(re.search(start_of_reset, listing), "VBUS is looked at before anything else")

for failure in failures:
    print("FAILED:", failure)
print(f"{pathlib.Path(base).name} {version}: {len(binary)} bytes")
sys.exit(bool(failures))
