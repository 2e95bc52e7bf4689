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

from concurrent.futures import ThreadPoolExecutor

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
F405 = "stm32f405,clock=real"
# What a ROM may announce and do; see the text of the table for who has seen it.
F405_BEHAVIOURS = (("poll time = operation time", "poll=datasheet"),
                   ("100 ms for everything, GETSTATUS held", "poll=100,held=1"),
                   ("100 ms for everything, not held", "poll=100,held=0"),
                   ("0 ms, GETSTATUS held", "poll=0,held=1"))
# Arguments, what the flash holds before, and the most that it may take of dfu-util's time.
F405_PROGRAMS = (("dfu-util", None, "noise", None),
                 ("sureflash", (), "noise", 0.25),
                 ("`--vdd 3.3`", ("--vdd", "3.3"), "noise", 0.15),
                 ("`--vdd 3.3 --new-chip`, blank chip", ("--vdd", "3.3", "--new-chip"), "blank", 0.15))
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
    if used == 0:
        return CHIP
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


def at_once(function, jobs):
    """All jobs side by side: they sleep nearly all the time. `f405_table` measures what that costs."""
    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(function, jobs))


def one_program(job):
    """One program, by its place in `commands`, on a chip of its own; None if there is no such program."""
    index, size, used = job
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="sf-bench-") as name:
        folder = pathlib.Path(name)
        image = firmware(folder, size)
        served = Served(folder, [chip_in_use(folder, used)])
        listed = list(commands(folder, image, served.env))
        if index >= len(listed):
            served.stop()
            return None
        label, command, env = listed[index]
        measured = Measured(command, env)
        measured.transfers = served.stop()
        if measured.status != 0:
            print(f"{label}: exit {measured.status}", file=sys.stderr)
            return None
        return label, measured


def side_by_side(size, used, programs):
    rows = {}
    for _ in range(RUNS):
        for done in at_once(one_program, [(index, size, used) for index in range(programs)]):
            if done:
                rows.setdefault(done[0], []).append(done[1])
    return rows


def median(rows, what):
    return statistics.median(getattr(row, what) for row in rows)


def side_by_side_table(size, used, programs=4):
    rows = side_by_side(size, used, programs)
    reference = median(rows["sureflash program (verified)"], "wall")
    lines = ["| program | wall time | of sureflash | CPU time | peak memory (upper bound) | control transfers |",
             "|---|---|---|---|---|---|"]
    for label, runs in rows.items():
        lines.append(f"| {label} | {median(runs, 'wall'):.2f} s | {median(runs, 'wall') / reference:.2f} "
                     f"| {median(runs, 'cpu') * 1000:.0f} ms | {median(runs, 'memory_kib') / 1024:.1f} MiB "
                     f"| {median(runs, 'transfers'):.0f} |")
    return "\n".join(lines)


def f405(job):
    """Seconds that one of F405_PROGRAMS takes for 1 MiB; None if it fails."""
    behaviour, (label, arguments, before, _) = job
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="sf-bench-") as name:
        folder = pathlib.Path(name)
        image = firmware(folder, F405_SIZE)
        served = Served(folder, [f"{F405},fill={before},{behaviour[1]}"])
        command = (["dfu-util", "-a", "0", "-s", BASE, "-D", str(image)] if arguments is None else
                   [SUREFLASH, "program", str(image), "--base", BASE, "--yes", *arguments])
        measured = Measured(command, served.env)
        served.stop()
        if measured.status != 0:
            print(f"F405, {behaviour[0]}, {label}: exit {measured.status}", file=sys.stderr)
            return None
        return measured.wall


def f405_table():
    """Once each, and all at once: what takes minutes does not need three runs."""
    jobs = [(behaviour, program) for behaviour in F405_BEHAVIOURS for program in F405_PROGRAMS]
    seconds = dict(zip(jobs, at_once(f405, jobs)))
    lines = ["| the ROM announces | " + " | ".join(label for label, *_ in F405_PROGRAMS) + " |",
             "|---" * (1 + len(F405_PROGRAMS)) + "|",
             "| target, of dfu-util | |" + "|".join(f" at most {limit} " for *_, limit in F405_PROGRAMS[1:]) + "|"]
    for behaviour in F405_BEHAVIOURS:
        peer = seconds[behaviour, F405_PROGRAMS[0]]
        cells = []
        for program in F405_PROGRAMS:
            took, limit = seconds[behaviour, program], program[-1]
            if took is None or peer is None:
                cells.append("failed")
            elif limit is None:
                cells.append(f"{took:.1f} s")
            else:
                share = took / peer
                cells.append(f"{took:.1f} s, {share:.2f}, {'met' if share <= limit else 'missed'}")
        lines.append(f"| {behaviour[0]} | " + " | ".join(cells) + " |")
    quickest = jobs[-1]  # what disturbs shows there most
    alone = f405(quickest)
    if alone and seconds[quickest]:
        lines.append(f"\nThe last of these alone takes {alone:.2f} s; with all {len(jobs)} at once it took "
                     f"{(seconds[quickest] / alone - 1) * 100:+.1f} %.")
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
processes, median of {RUNS}. The programs of one run work at the same time, each on a chip of its own. First the whole flash, 256 KiB, every page in use before:

{side_by_side_table(SIZE, SIZE)}

fwupd 2.0 cannot program that image: it does not erase the last sector, and reads one block past the end. So the same
with 254 KiB, of which the last page was blank before:

{side_by_side_table(SIZE_FOR_FWUPD, SIZE_FOR_FWUPD - PAGE)}

Here every program is at the floor of the silicon: 126 pages of 84 ms each are 10.6 s. What sureflash takes more than dfu-util is
the proof, 254 KiB read back in 0.3 s. A mass erase, as above, is allowed only where the image covers the whole flash, or with
`--may-wipe`.

A blank chip, 256 KiB, without fwupd:

{side_by_side_table(SIZE, 0, programs=3)}

and 254 KiB, with it:

{side_by_side_table(SIZE_FOR_FWUPD, 0)}

The target there is to be faster, with the proof, than every other program without one. The others erase every page.

The chip shows a functional descriptor after each alternate setting here, since fwupd 2.0 cannot use the true layout
(one at the end, two alternate settings). The other programs do not care. A program without a row failed in this run. From npm: {WEBDFU or "nothing could be installed"}.

## An STM32F405 beside dfu-util

1 MiB, in real time through the testbed, every sector in use before unless said otherwise; one run each. sureflash reads everything back, dfu-util
does not.

{f405_table()}

No log that we found says what the F405's ROM announces for a sector or a block. Of its relatives: 100 ms for an erase that
takes 350 ms, the second GETSTATUS held for the rest, and 104 ms for 2 KiB written (an STM32F7 with the layout of the F74x; fwupd
issue 2696); 5 ms for a write (STM32F745; fwupd pull request 1944; it may be fwupd's own least wait); 100 ms for each command and
104 ms for 2 KiB (GD32VF103, dfu-util -v; riscv-mcu/gd32-dfu-utils issue 3); 100 ms for a mass erase, which takes seconds
(STM32F4; dfu-util has a quirk for it).

Where the ROM announces or holds what an operation takes, the targets cannot be met: a byte-wide F405 needs 16 us for each of
1,048,576 bytes and 16 s for its sectors, and dfu-util, which waits no longer than that, is within 15 % of it. `--vdd 3.3` takes the floor to
15 s, and a chip that the user calls new need not be erased at all; dfu-util erases it as well. Where more than the work is announced,
dfu-util waits for it twice per block, since it sets the address each time. sureflash learns from erases and writes that
GETSTATUS is held, and then asks at once; where it is not held, it waits what is announced.

## Many at once

{many_table()}

Through the testbed, where a preloaded library makes every ioctl a conversation over a socket. That is most of the CPU time, outside
user mode, and what the 16 take longer than one; on a real kernel libusb needs the same three ioctls for a transfer and no conversation.

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
