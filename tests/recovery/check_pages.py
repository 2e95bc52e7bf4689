#!/usr/bin/env python3
"""Goal: the recovery pages that sureflash names exist, and say only what sureflash can do.
Method: page names are taken from the sources; every command that a page mentions is asked for its help; the command after
"To see it without a board" is run, and must name the page (or print the words that the page promises with `shows "…"`).
Usage: check_pages.py SOURCE_FOLDER SUREFLASH"""
import pathlib
import random
import re
import shlex
import struct
import subprocess
import sys
import tempfile

PAGE = re.compile(r'"(recovery/[\w-]+\.md)"')
COMMAND = re.compile(r"`(sureflash[^`]*)`")
TRY = re.compile(r'To see it without a board: `sureflash ([^`]*)`(?:\s+shows\s+"([^"]+)")?', re.S)


def named_pages(source):
    for path in (*source.glob("host/**/*.cpp"), *source.glob("host/**/*.hpp")):
        for match in PAGE.finditer(path.read_text(encoding="utf-8")):
            yield match[1], path.relative_to(source)


def write_program(path, base):
    """Vectors that could start, then noise without blank blocks."""
    noise = random.Random(1).randbytes(40_000)
    path.write_bytes(struct.pack("<II", 0x20010000, base + 9) + noise)


def run(sureflash, arguments, folder):
    done = subprocess.run([sureflash, *arguments], cwd=folder, capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, check=False)
    return done.returncode, done.stdout + done.stderr


def subcommand(command):
    """'sureflash options show --json' -> ['options', 'show']; a subcommand has small letters only."""
    words = []
    for word in shlex.split(command)[1:]:
        if not re.fullmatch(r"[a-z]+", word):
            break
        words.append(word)
    return words


def check_page(page, sureflash):
    text = page.read_text(encoding="utf-8")
    for match in COMMAND.finditer(text):
        words = subcommand(match[1])
        _, output = run(sureflash, [*words, "--help"], page.parent)
        if f"Usage: {' '.join(['sureflash', *words])} " not in output:
            yield f"`{match[1]}`: there is no such command: {output.strip()}"
    for heading in ("**What.**", "**Why.**", "**What now.**", "## How sureflash saw it", "## How to be sure", "## Ways out"):
        if heading not in text:
            yield f"no {heading}"
    attempt = TRY.search(text)
    if not attempt and "No virtual device shows this" in text:
        return
    if not attempt:
        yield 'no "To see it without a board: `sureflash …`"'
        return
    with tempfile.TemporaryDirectory() as folder:
        arguments = shlex.split(attempt[1].replace("\n", " "))
        base = re.search(r"--base (0x[0-9a-fA-F]+)", attempt[1])
        write_program(pathlib.Path(folder) / "firmware.bin", int(base[1], 16) if base else 0x08000000)
        if "program" in arguments:
            arguments.append("--yes")
        if "firmware.bin" in arguments and not base:
            arguments += ["--base", "0x08000000"]
        code, output = run(sureflash, arguments, folder)
        wanted = attempt[2] or f"docs/recovery/{page.name}"
        if wanted not in output:
            yield f"`sureflash {attempt[1]}` ended with {code} and did not say {wanted!r}:\n{output}"


def main(source, sureflash):
    source = pathlib.Path(source).resolve()
    sureflash = str(pathlib.Path(sureflash).resolve())
    problems = []
    named = dict(named_pages(source))
    if not named:
        problems.append("no source names a page: the search is broken")
    for page, where in sorted(named.items()):
        if not (source / "docs" / page).is_file():
            problems.append(f"{where}: docs/{page} does not exist")
    index = (source / "docs/recovery/README.md").read_text(encoding="utf-8")
    for page in sorted((source / "docs/recovery").glob("*.md")):
        if page.name == "README.md":
            continue
        if f"recovery/{page.name}" not in named:
            problems.append(f"{page.name}: no source names it")
        if f"({page.name})" not in index:
            problems.append(f"{page.name}: README.md does not list it")
        problems += [f"{page.name}: {p}" for p in check_page(page, sureflash)]
    print("\n".join(problems) or f"{len(named)} pages, all there")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
