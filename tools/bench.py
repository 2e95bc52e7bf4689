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
F405_SIZE = 1024 * 1024
# Poll time = operation time; every page in use, so that nobody can skip an erase.
CHIP = "stm32f105,clock=real,poll=datasheet,functional=each"
# fwupd 2.0 does not erase the last sector of an image and reads one block past its end
# (tests/conformance/fwupd_test.cpp): it needs the image's last page blank, and a page after it.
PAGE = 2048
SIZE_FOR_FWUPD = SIZE - PAGE
F405 = "stm32f405,clock=real,fill=noise"
MANY = 16
RUNS = 3
NODE = BUILD / "bench" / "node"


class Measured:
    def __init__(self, command, env=None, output=None):
        began = time.monotonic()
        process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL,
                                   stdout=output or subprocess.DEVNULL, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.wall = time.monotonic() - began
        self.user = usage.ru_utime
        self.cpu = usage.ru_utime + usage.ru_stime
        self.memory_kib = usage.ru_maxrss
        self.status = process.returncode


def firmware(folder, size=SIZE):
    data = bytearray(random.Random(1).randbytes(size))
    data[0:8] = struct.pack("<II", 0x20010000, 0x08000101)
    path = folder / "firmware.bin"
    path.write_bytes(data)
    subprocess.run([SUREFLASH, "image", "convert", str(path), str(folder / "firmware.dfuse"),
                    "--base", BASE, "--usb-id", "0483:df11"], check=True, stdout=subprocess.DEVNULL)
    return path


def chip_in_use(folder, used):
    """A chip whose flash holds `used` bytes that have to go."""
    old = folder / "old.bin"
    old.write_bytes(random.Random(2).randbytes(used))
    subprocess.run([SUREFLASH, "program", str(old), "--base", BASE, "--data", "--yes", "--device",
                    f"sim:stm32f105,poll=0,state={folder}/chip"], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return f"{CHIP},state={folder}/chip"


class Served:
    """Virtual chips in a testbed of their own."""

    def __init__(self, folder, chips):
        self.log = open(folder / "serve.json", "w+")
        self.process = subprocess.Popen(
            [SUREFLASH, "sim", "serve", *chips, "--testbed", str(folder / "t"), "--json"],
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


def install_webdfu():
    """The web page's code and a WebUSB for Node, from npm; whatever is newest. Returns the versions, or None."""
    NODE.mkdir(parents=True, exist_ok=True)
    try:
        for package in ("webdfu", "usb@2"):
            subprocess.run(["npm", "view", package, "version"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["npm", "install", "--prefix", str(NODE), "--no-save", "webdfu", "usb@2"], check=True,
                       stdout=subprocess.DEVNULL)
        return ", ".join(f"{name} {json.loads((NODE / 'node_modules' / name / 'package.json').read_text())['version']}"
                         for name in ("webdfu", "usb"))
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"webdfu: {error}", file=sys.stderr)
        return None


def webdfu(image, env):
    script = pathlib.Path(__file__).resolve().parent.parent / "bench" / "webdfu.cjs"
    return ["node", str(script), str(image), BASE], dict(env, NODE_PATH=str(NODE / "node_modules"))


def commands(folder, image, env):
    yield "sureflash program (verified)", [SUREFLASH, "program", str(image), "--base", BASE, "--yes"], env
    yield "dfu-util -D (does not verify)", ["dfu-util", "-a", "0", "-s", BASE, "-D", str(image)], env
    if WEBDFU:
        yield "webdfu on Node (does not verify)", *webdfu(image, env)
    fwupd = fwupd_environment(folder, env)
    listing = subprocess.run(["fwupdtool", "get-devices", "--plugins", "dfu", "--json"], env=fwupd,
                             capture_output=True, text=True, check=False).stdout
    found = re.search(r'"DeviceId" *: *"([0-9a-f]{40})"', listing)
    if found:
        yield "fwupdtool install-blob (verifies)", [
            "fwupdtool", "install-blob", str(folder / "firmware.dfuse"), found.group(1), "--plugins",
            "dfu", "--force", "--allow-reinstall", "--no-device-prompt", "--no-reboot-check"], fwupd


def side_by_side(size, used):
    rows = {}
    for _ in range(RUNS):
        for index in range(4):
            with tempfile.TemporaryDirectory(dir="/tmp", prefix="sf-bench-") as name:
                folder = pathlib.Path(name)
                image = firmware(folder, size)
                served = Served(folder, [chip_in_use(folder, used)])
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


def side_by_side_table(size, used):
    rows = side_by_side(size, used)
    reference = median(rows["sureflash program (verified)"], "wall")
    lines = ["| program | wall time | of sureflash | CPU time | peak memory (upper bound) | control transfers |",
             "|---|---|---|---|---|---|"]
    for label, runs in rows.items():
        lines.append(f"| {label} | {median(runs, 'wall'):.2f} s | {median(runs, 'wall') / reference:.2f} "
                     f"| {median(runs, 'cpu') * 1000:.0f} ms | {median(runs, 'memory_kib') / 1024:.1f} MiB "
                     f"| {median(runs, 'transfers'):.0f} |")
    return "\n".join(lines)


def f405_table():
    """Once each: what takes half a minute does not need three runs."""
    rows = []
    for label, arguments in (("sureflash program (verified)", ["--yes"]),
                             ("sureflash program --vdd 3.3 (verified)", ["--yes", "--vdd", "3.3"]),
                             ("sureflash program --vdd 3.3 --new-chip, blank chip (verified)", ["--yes", "--vdd", "3.3", "--new-chip"]),
                             ("dfu-util -D (does not verify)", None)):
        with tempfile.TemporaryDirectory(dir="/tmp", prefix="sf-bench-") as name:
            folder = pathlib.Path(name)
            image = firmware(folder, F405_SIZE)
            served = Served(folder, [F405 if "blank" not in label else F405.replace("noise", "blank")])
            command = (["dfu-util", "-a", "0", "-s", BASE, "-D", str(image)] if arguments is None else
                       [SUREFLASH, "program", str(image), "--base", BASE, *arguments])
            measured = Measured(command, served.env)
            served.stop()
            if measured.status != 0:
                print(f"F405, {label}: exit {measured.status}", file=sys.stderr)
                continue
            rows.append((label, measured))
    peer = next((measured.wall for label, measured in rows if label.startswith("dfu-util")), None)
    lines = ["| program | wall time | of dfu-util | target |", "|---|---|---|---|"]
    for label, measured in rows:
        target = ("" if label.startswith("dfu-util") else "at most 0.15" if "--vdd" in label else "at most 0.25")
        share = f"{measured.wall / peer:.2f}" if peer else "?"
        lines.append(f"| {label} | {measured.wall:.1f} s | {share} | {target} |")
    return "\n".join(lines)


def many_table():
    """16 chips in real time, one process."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="sf-bench-") as name:
        folder = pathlib.Path(name)
        image = firmware(folder)
        served = Served(folder, [f"{CHIP},fill=noise,seed={n}" for n in range(MANY)])
        time.sleep(1.0)
        one = Measured([SUREFLASH, "program", str(image), "--base", BASE, "--yes", "--device", "1-1"], served.env)
        served.stop()
        served = Served(folder, [f"{CHIP},fill=noise,seed={n}" for n in range(MANY)])
        time.sleep(1.0)
        many = Measured([SUREFLASH, "program", str(image), "--base", BASE, "--yes", "--all"], served.env)
        served.stop()
    if one.status or many.status:
        return f"failed: exit {one.status} for one, {many.status} for {MANY}"
    return "\n".join([
        f"| {MANY} x F105, 256 KiB, every page in use | measured | target |", "|---|---|---|",
        f"| CPU time of sureflash, of one core | {many.cpu / many.wall * 100:.1f} % ({many.cpu:.2f} s in {many.wall:.2f} s) | at most 10 % |",
        f"| of that in user mode | {many.user / many.wall * 100:.1f} % | |",
        f"| wall time, of that for one ({one.wall:.2f} s) | {many.wall / one.wall:.2f} | |"])


def peak_memory_kib(command):
    """By GNU time: a child of this program would be counted with the memory of its fork."""
    done = subprocess.run(["/usr/bin/time", "-f", "%M", *command], capture_output=True, text=True, check=True)
    return int(done.stderr.split()[-1])


def process_table():
    with tempfile.TemporaryDirectory() as name:
        image = firmware(pathlib.Path(name))
        start = [Measured([SUREFLASH, "--version"]) for _ in range(21)]
        program = [SUREFLASH, "program", str(image), "--base", BASE, "--yes", "--device",
                   "sim:stm32f105,poll=datasheet"]
        runs = [Measured(program) for _ in range(11)]
        memory = peak_memory_kib(program)
    return "\n".join([
        "| whole process | measured | target |", "|---|---|---|",
        f"| `sureflash --version`, wall time, median of 21 | {median(start, 'wall') * 1000:.1f} ms | at most 10 ms |",
        f"| 256 KiB in virtual time, wall time, median of 11 | {median(runs, 'wall') * 1000:.1f} ms | at most 30 ms |",
        f"| the same, peak memory | {memory / 1024:.1f} MiB | at most 16 MiB |"])


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
    global WEBDFU
    WEBDFU = install_webdfu()
    program = subprocess.run([str(BUILD / "bench/bench_program")], capture_output=True, text=True,
                             check=True).stdout
    text = f"""# Benchmarks

Made by `./dev bench` on {platform.machine()} with {os.cpu_count()} cores. Ratios are from one run on one machine; absolute times
depend on it.

## Programming against the floor of the silicon

{program}
The floor is 128 page erases and 131,072 half-words at typical data sheet times, and each byte once down and once up at
1 MB/s. Verification is included. A blank chip needs no page erased but the first, and a mass erase takes the time of one
page: this is how a job gets below the floor.

The poll times that the ROM of a real STM32F105 announces are not known: the rows show several published behaviours. A host
that honours a poll time longer than the work pays for it: with 100 ms announced for a write of 54 ms and not held, 128
blocks cost 12.8 s, whatever the host does. To ask earlier would be quicker, but would stall a device that takes DFU 1.1 (6.1.2:
"the minimum time") at its word, and no harmless question tells the two apart.

## Beside other programs

The same virtual STM32F105 with real-time data sheet timing (poll time = operation time), through the testbed; whole
processes, median of {RUNS}. First the whole flash, 256 KiB, every page in use before:

{side_by_side_table(SIZE, SIZE)}

fwupd 2.0 cannot program that image: it does not erase the last sector, and reads one block past the end. So the same
with 254 KiB, of which the last page was blank before:

{side_by_side_table(SIZE_FOR_FWUPD, SIZE_FOR_FWUPD - PAGE)}

Here every program is at the floor of the silicon: 126 pages of 84 ms each are 10.6 s. What sureflash takes more than dfu-util is
the proof, 254 KiB read back in 0.3 s. A mass erase, as above, is allowed only where the image covers the whole flash, or with
`--may-wipe`.

The chip shows a functional descriptor after each alternate setting here, since fwupd 2.0 cannot use the true layout
(one at the end, two alternate settings). The other programs do not care. A program without a row failed in this run. From npm: {WEBDFU or "nothing could be installed"}.

An STM32F405 with 1 MiB in the same way, every sector in use, one run each:

{f405_table()}

Both targets are missed, and cannot be met where the ROM announces what an operation takes: a byte-wide F405 needs 16 us for
each of 1,048,576 bytes and 16 s for its sectors, and dfu-util, which waits as long as is announced, is within 15 % of that.
`--vdd 3.3` takes the floor to 15 s, and a chip that the user calls new need not be erased at all; dfu-util erases it as well. What
sureflash saves besides is an image of which most is there already.

## Many at once

{many_table()}

Through the testbed, where a preloaded library makes every ioctl a conversation over a socket, and where every device always
looks as if it had something to tell: libusb asks all of them each time. Most of the time in the kernel is that; a real kernel
wakes a program once for each transfer. The target is not met: runs gave 9 % to 16 %. One transfer costs dfu-util about the same here (CPU time by transfers, above).

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
