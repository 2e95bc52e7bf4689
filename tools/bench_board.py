"""The part of the benchmarks about the virtual board: how fast it runs firmware. Used by bench.py."""
import json
import os
import pathlib
import random
import signal
import subprocess
import tempfile
import time

MIPS_MIN = 100
STORES_OF_UNICORN_MIN = 0.8
DOWNLOAD_BYTES = 64 * 1024


def core_rows(build):
    """Instructions per second by workload, and Unicorn's for the same code where it can run it."""
    out = subprocess.run([str(build / "bench/bench_cpu"), "--benchmark_format=json"], capture_output=True,
                         text=True, check=True).stdout
    rates = {row["name"]: row["items_per_second"] / 1e6 for row in json.loads(out)["benchmarks"]}
    names = {"crc": "CRC-32, bit by bit", "copy": "memcpy by words", "stores": "stores only",
             "interrupts": "an interrupt every 100 cycles"}
    for name, label in names.items():
        other = rates.get("unicorn/" + name)
        ratio = f"{other:.0f} | {rates[name] / other:.2f}" if other else "- | -"
        yield f"| {label} | {rates[name]:.0f} | {ratio} |"


def measure(command, env=None):
    """Wall and CPU seconds of a command, and its last line of output as JSON if it is."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]}: exit {process.returncode}")
    last = out.strip().splitlines()[-1] if out.strip() else ""
    return (time.monotonic() - began, usage.ru_utime + usage.ru_stime,
            json.loads(last) if last.startswith("{") else {})


def served(sureflash, elf, folder, use):
    """Serves the board, once it is enumerated does `use`, and tells how long the board has lived by its own clock."""
    server = subprocess.Popen([sureflash, "sim", "serve", f"board:{elf}", "--testbed", str(folder), "--json"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        env = dict(os.environ)
        for variable in json.loads(server.stdout.readline())["environment"]:
            name, value = variable.split("=", 1)
            env[name] = value
        time.sleep(1.0)  # until it is enumerated
        result = use(env)
    finally:
        server.send_signal(signal.SIGINT)
        last = server.stdout.read().strip().splitlines()[-1]
        server.wait(10)
    return result, json.loads(last)["device_time_s"][0]


def through_testbed(sureflash, elf, image, folder):
    """Wall, CPU and virtual seconds of one run of dfu-util. What the board lived before is known from a run without."""
    _, before = served(sureflash, elf, folder / "a", lambda env: None)
    (wall, cpu, _), after = served(sureflash, elf, folder / "b", lambda env: measure(["dfu-util", "-D", str(image)], env))
    return wall, cpu, after - before


def firmware_rows(build):
    sureflash, elf = str(build / "sureflash"), build / "tests/board/dfu.elf"
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="sf-bench-") as name:
        folder = pathlib.Path(name)
        image = folder / "data.bin"
        image.write_bytes(random.Random(1).randbytes(DOWNLOAD_BYTES))
        wall, cpu, found = measure([sureflash, "sim", "run", str(elf), "--until", "usb=configured", "--json"])
        yield f"| from reset to configured | {found['time_s'] * 1000:.0f} ms | {wall * 1000:.0f} ms | {cpu * 1000:.0f} ms |"
        wall, cpu, found = measure([sureflash, "program", str(image), "--data", "--yes", "--json", "-d",
                                    f"board:{elf}"])
        virtual = (found["erase_ms"] + found["write_ms"] + found["verify_ms"]) / 1000
        yield f"| 64 KiB downloaded and read back by sureflash, in process | {virtual:.2f} s | {wall:.2f} s | {cpu:.2f} s |"
        wall, cpu, virtual = through_testbed(sureflash, elf, image, folder)
        yield (f"| 64 KiB downloaded by dfu-util through the testbed | {virtual:.2f} s | {wall:.2f} s "
               f"({wall / virtual:.2f}; wanted: at most 1.0) | {cpu:.2f} s |")


def section(build):
    return "\n".join([
        "| the core runs | million instructions/s | Unicorn, exact PC | ratio |", "|---|---|---|---|",
        *core_rows(build), "",
        f"Wanted: {MIPS_MIN} million instructions/s, or {STORES_OF_UNICORN_MIN} of Unicorn's rate on stores. A real chip at "
        "72 MHz does about 60.", "",
        "| firmware with DFU code of its own (`tests/board/firmware/dfu.c`) | virtual time | wall time | CPU time |",
        "|---|---|---|---|", *firmware_rows(build), "",
        "The firmware polls at 72 MHz and announces 70 ms for each block, which dfu-util sleeps in real time. "
        f"Load of the machine meanwhile: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."])
