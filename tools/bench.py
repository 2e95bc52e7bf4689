#!/usr/bin/env python3
"""Measures what the project promises, beside other programs, and writes docs/benchmarks.md.

usage: tools/bench.py BUILD_FOLDER OUTPUT

Whole processes are measured with the operating system's own accounting of a finished child (wait4).
Other programs get the same virtual chip, in real time, through the testbed.
"""
import gzip
import json
import os
import pathlib
import platform
import random
import re
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import bench_board

BUILD = pathlib.Path(sys.argv[1]).resolve()
OUTPUT = pathlib.Path(sys.argv[2])
SUREFLASH = str(BUILD / "sureflash")
BASE = "0x08000000"
SIZE = 256 * 1024
# Poll time = operation time; every page in use, so that nobody can skip an erase.
CHIP = "stm32f105,clock=real,poll=datasheet,fill=noise,functional=each"
RUNS = 3


class Measured:
    def __init__(self, command, env=None, output=None):
        began = time.monotonic()
        process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL,
                                   stdout=output or subprocess.DEVNULL, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.wall = time.monotonic() - began
        self.cpu = usage.ru_utime + usage.ru_stime
        self.memory_kib = usage.ru_maxrss
        self.status = process.returncode


def firmware(folder):
    data = bytearray(random.Random(1).randbytes(SIZE))
    data[0:8] = struct.pack("<II", 0x20010000, 0x08000101)
    path = folder / "firmware.bin"
    path.write_bytes(data)
    subprocess.run([SUREFLASH, "image", "convert", str(path), str(folder / "firmware.dfuse"),
                    "--base", BASE], check=True, stdout=subprocess.DEVNULL)
    return path


class Served:
    """A virtual chip in a testbed of its own."""

    def __init__(self, folder):
        self.log = open(folder / "serve.json", "w+")
        self.process = subprocess.Popen(
            [SUREFLASH, "sim", "serve", CHIP, "--testbed", str(folder / "t"), "--json"],
            stdout=self.log, stderr=subprocess.DEVNULL)
        self.env = dict(os.environ)
        for _ in range(200):
            time.sleep(0.05)
            self.log.seek(0)
            first = self.log.readline()
            if first.endswith("\n"):
                for variable in json.loads(first)["environment"]:
                    name, value = variable.split("=", 1)
                    self.env[name] = value
                break
        time.sleep(1.0)  # the chip needs 460 ms to enumerate

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(10)
        self.log.seek(0)
        return json.loads(self.log.readlines()[-1])["control_transfers"][0]


def fwupd_environment(folder, env):
    env = dict(env)
    for name, sub in (("STATE_DIRECTORY", "state"), ("CACHE_DIRECTORY", "cache"),
                      ("FWUPD_LOCKDIR", "lock"), ("FWUPD_SYSCONFDIR", "etc")):
        (folder / sub / "fwupd").mkdir(parents=True, exist_ok=True)
        env[name] = str(folder / sub)
    (folder / "etc/fwupd/fwupd.conf").write_text("[fwupd]\nOnlyTrusted=false\n")
    return env


def commands(folder, image, env):
    yield "sureflash program (verified)", [SUREFLASH, "program", str(image), "--base", BASE, "--yes"], env
    yield "dfu-util -D (does not verify)", ["dfu-util", "-a", "0", "-s", BASE, "-D", str(image)], env
    fwupd = fwupd_environment(folder, env)
    listing = subprocess.run(["fwupdtool", "get-devices", "--plugins", "dfu", "--json"], env=fwupd,
                             capture_output=True, text=True, check=False).stdout
    found = re.search(r'"DeviceId" *: *"([0-9a-f]{40})"', listing)
    if found:
        yield "fwupdtool install-blob (verifies)", [
            "fwupdtool", "install-blob", str(folder / "firmware.dfuse"), found.group(1), "--plugins",
            "dfu", "--force", "--allow-reinstall", "--no-device-prompt", "--no-reboot-check"], fwupd


def side_by_side():
    rows = {}
    for _ in range(RUNS):
        for index in range(3):
            with tempfile.TemporaryDirectory(dir="/tmp", prefix="sf-bench-") as name:
                folder = pathlib.Path(name)
                image = firmware(folder)
                served = Served(folder)
                listed = list(commands(folder, image, served.env))
                if index >= len(listed):
                    served.stop()
                    continue
                label, command, env = listed[index]
                measured = Measured(command, env)
                measured.transfers = served.stop()
                if measured.status != 0:
                    print(f"{label}: exit {measured.status}", file=sys.stderr)
                    continue
                rows.setdefault(label, []).append(measured)
    return rows


def median(rows, what):
    return statistics.median(getattr(row, what) for row in rows)


def side_by_side_table():
    rows = side_by_side()
    reference = median(rows["sureflash program (verified)"], "wall")
    lines = ["| program | wall time | of sureflash | CPU time | peak memory (upper bound) | control transfers |",
             "|---|---|---|---|---|---|"]
    for label, runs in rows.items():
        lines.append(f"| {label} | {median(runs, 'wall'):.2f} s | {median(runs, 'wall') / reference:.2f} "
                     f"| {median(runs, 'cpu') * 1000:.0f} ms | {median(runs, 'memory_kib') / 1024:.1f} MiB "
                     f"| {median(runs, 'transfers'):.0f} |")
    return "\n".join(lines)


def process_table():
    with tempfile.TemporaryDirectory() as name:
        image = firmware(pathlib.Path(name))
        start = [Measured([SUREFLASH, "--version"]) for _ in range(21)]
        runs = [Measured([SUREFLASH, "program", str(image), "--base", BASE, "--yes", "--device",
                          "sim:stm32f105,poll=datasheet"]) for _ in range(11)]
    return "\n".join([
        "| whole process | measured | target |", "|---|---|---|",
        f"| `sureflash --version`, wall time, median of 21 | {median(start, 'wall') * 1000:.1f} ms | at most 10 ms |",
        f"| 256 KiB in virtual time, wall time, median of 11 | {median(runs, 'wall') * 1000:.1f} ms | at most 30 ms |",
        f"| the same, peak memory (upper bound: the fork of the measuring program counts) | {median(runs, 'memory_kib') / 1024:.1f} MiB | at most 16 MiB |"])


def hex_speed():
    out = subprocess.run([str(BUILD / "bench/bench_image"), "--benchmark_format=json"],
                         capture_output=True, text=True, check=True).stdout
    lines = ["| reading | MB/s of input |", "|---|---|"]
    for row in json.loads(out)["benchmarks"]:
        lines.append(f"| {row['name']} | {row['bytes_per_second'] / 1e6:.0f} |")
    return "\n".join(lines)


def wasm_size():
    found = sorted(BUILD.rglob("*.wasm"))
    if not found:
        return "The wasm core was not built; `./dev test -R wasm` builds it."
    data = found[0].read_bytes()
    return f"Core as wasm32: {len(data)} bytes, {len(gzip.compress(data, 9))} bytes with gzip -9."


def main():
    program = subprocess.run([str(BUILD / "bench/bench_program")], capture_output=True, text=True,
                             check=True).stdout
    text = f"""# Benchmarks

Made by `./dev bench` on {platform.machine()} with {os.cpu_count()} cores. Ratios are from one run on one machine; absolute times
depend on it.

## Programming against the floor of the silicon

{program}
The floor is 128 page erases and 131,072 half-words at typical data sheet times, and each byte once down and once up at
1 MB/s. Verification is included. The poll times that the ROM of a real STM32F105 announces are not known: the rows show
several published behaviours. A host that honours a poll time longer than the work pays for it.

## Beside other programs

The same virtual STM32F105 with real-time data sheet timing (poll time = operation time, every page in use), the same
256 KiB, through the testbed; whole processes, median of {RUNS}.

{side_by_side_table()}

The chip shows a functional descriptor after each alternate setting here, since fwupd 2.0 cannot use the true layout
(one at the end, two alternate settings). The other programs do not care. A program without a row failed in this run.

## The virtual board

{bench_board.section(BUILD)}

## The process

{process_table()}

## Files

{hex_speed()}

{wasm_size()}
"""
    OUTPUT.write_text(text)
    print(text)


main()
