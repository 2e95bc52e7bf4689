#!/usr/bin/env python3
"""Goal: a developer debugs firmware on the board with an unmodified GDB, as the documentation says.
Method: `sureflash sim run --gdb 0` and gdb-multiarch as processes; the screen of GDB is searched, and the board
ends with GDB.
Usage: gdb.py SUREFLASH VBUS_DFU_ELF"""
import json
import re
import subprocess
import sys

SUREFLASH, ELF = sys.argv[1:]
COMMANDS = ["break SysTick_Handler", "continue", "backtrace", "print milliseconds_left", "delete",
            "watch toggle_count", "continue", "x/2xw 0x40011000", "stepi", "delete", "monitor info",
            "load", "compare-sections", "monitor reset", "info registers pc", "kill"]
EXPECTED = [r"Breakpoint 1, SysTick_Handler \(\) at vbus-dfu/main\.cpp:\d+",
            r"#1 +<signal handler called>\n#2 +0x[0-9a-f]+ in main \(\)",
            r"\$1 = 500\n",
            r"Old value = 0\nNew value = 1\n",
            r"0x40011000:\t0x4[24]4*4\t0x44444444",
            r"time 500(\.\d)? ms, core at 8 MHz",
            r"Loading section \.vectors, size 0x150 lma 0x8000000",
            r"Section \.text, range .* matched",
            r"the chip was reset",
            r"pc +0x8000170 +0x8000170 <Reset_Handler"]


def main():
    board = subprocess.Popen([SUREFLASH, "sim", "run", ELF + ",vbus=0", "--gdb", "0", "--json"],
                             stdout=subprocess.PIPE, text=True)
    port = json.loads(board.stdout.readline())["gdb_port"]
    gdb = ["gdb-multiarch", "-nx", "-q", "-batch", ELF, "-ex", "set confirm off",
           "-ex", f"target remote 127.0.0.1:{port}"]
    for command in COMMANDS:
        gdb += ["-ex", command]
    screen = subprocess.run(gdb, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, timeout=60).stdout
    print(screen)
    missing = [pattern for pattern in EXPECTED if not re.search(pattern, screen)]
    for pattern in missing:
        print("not on the screen:", pattern)
    log = board.communicate(timeout=20)[0]
    print(log)
    last = json.loads(log.splitlines()[-1])
    ended = board.returncode == 0 and last["end"] == "debugger"
    return bool(missing) or not ended


sys.exit(main())
