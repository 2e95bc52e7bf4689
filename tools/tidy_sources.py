#!/usr/bin/env python3
"""Prints the sources that a build folder compiles from this tree: what clang-tidy can look at."""
import json
import pathlib
import sys

root = pathlib.Path(__file__).resolve().parent.parent
build = pathlib.Path(sys.argv[1]).resolve()
commands = json.loads((build / "compile_commands.json").read_text())
files = {pathlib.Path(c["file"]).resolve() for c in commands}
for file in sorted(files):
    if file.is_relative_to(root) and not file.is_relative_to(build):
        print(file.relative_to(root))
