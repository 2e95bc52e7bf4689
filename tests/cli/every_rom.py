#!/usr/bin/env python3
"""Goal: the command programs, compares, leaves alone and verifies on the ROM of every line of chips and clones.
Method: a process for each run, the chip in a file between them; a line's own flash is asked with `read`. Two lines at once.
Usage: every_rom.py SUREFLASH"""
import concurrent.futures
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

SUREFLASH = ""
BASE = 0x08000000


class Wrong(Exception):
    pass


def run(folder, *arguments, expect=0):
    done = subprocess.run([SUREFLASH, *arguments, "--json"], cwd=folder, capture_output=True, text=True, timeout=120,
                          stdin=subprocess.DEVNULL, check=False)
    if done.returncode != expect:
        raise Wrong(f"sureflash {' '.join(arguments)}: exit {done.returncode}, not {expect}\n{done.stdout}{done.stderr}")
    return json.loads([line for line in done.stdout.splitlines() if line.startswith("{")][-1]) if done.stdout else {}


def program(size, seed):
    noise = random.Random(seed).randbytes(size - 8)
    return struct.pack("<II", 0x20001000, BASE + 9) + noise


def try_line(name):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        image = program(20_481, name)  # one byte more than whole blocks
        (folder / "app.bin").write_bytes(image)
        (folder / "other.bin").write_bytes(image[:-1] + bytes([image[-1] ^ 1]))
        device = ["--device", f"sim:{name},fill=noise,state=chip"]
        base = ["--base", hex(BASE)]
        run(folder, "verify", "app.bin", *base, *device, expect=9)
        first = run(folder, "program", "app.bin", *base, *device)
        again = run(folder, "program", "app.bin", *base, *device)
        run(folder, "verify", "app.bin", *base, *device)
        run(folder, "verify", "other.bin", *base, *device, expect=9)
        run(folder, "read", "back.bin", "--address", hex(BASE), "--size", str(len(image)), *device)
        if (folder / "back.bin").read_bytes() != image:
            raise Wrong(f"{name}: what was read back is something else")
        if first["bytes_written"] < len(image) or again["bytes_written"] != 0 or not again["proven"]:
            raise Wrong(f"{name}: {first}\n{again}")


def main():
    global SUREFLASH
    SUREFLASH = os.path.abspath(sys.argv[1])
    listed = run(".", "sim", "list")
    names = listed["chips"]
    clones = [name for name in names if not name.startswith("stm32")]
    if len(names) - len(clones) < 61 or len(clones) < 5:
        raise Wrong(f"only {len(names)} lines are listed, {len(clones)} of them clones")
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for name, job in [(name, pool.submit(try_line, name)) for name in names]:
            try:
                job.result()
            except Wrong as wrong:
                failed += 1
                print(f"FAILED {name}: {wrong}")
    print(f"{len(names)} lines, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
