#!/usr/bin/env python3
"""Goal: the module needs nothing from its embedder. Method: read its import section, by the WebAssembly core
specification 1.0, 5.5 (binary format of modules). Prints its size. Usage: check_module.py FILE.wasm"""
import gzip
import pathlib
import sys

IMPORT_SECTION = 2


def leb128(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def imports(module):
    """Number of imports, and the bytes of the import section for people."""
    if module[:8] != b"\0asm\1\0\0\0":
        sys.exit("not a WebAssembly module, version 1")
    at = 8
    while at < len(module):
        kind = module[at]
        size, at = leb128(module, at + 1)
        if kind == IMPORT_SECTION:
            count, _ = leb128(module, at)
            return count, module[at:at + size]
        at += size
    return 0, b""


module = pathlib.Path(sys.argv[1]).read_bytes()
count, section = imports(module)
print(f"{pathlib.Path(sys.argv[1]).name}: {len(module)} bytes, {len(gzip.compress(module, 9))} with gzip -9, "
      f"{count} imports")
if count:
    sys.exit(f"the core must import nothing; it wants: {section!r}")
