#!/usr/bin/env python3
"""Goal: the rules of docs/architecture.md and CONTRIBUTING.md that a compiler does not know are kept.
Method: read include lines and code (without comments and strings) of every source file. Each rule names the
replacement and carries an example that breaks it; --self-test shows that each example is found.
Usage: check_tree.py SOURCE_FOLDER | check_tree.py --self-test"""
import pathlib
import re
import sys
import tempfile

CORE = ("proto", "base", "dfu", "stm32", "image", "update")
# What the headers and sources of a module may include of us. Tests of a module may include anything.
MAY_INCLUDE = {
    "proto": {"proto"},
    "base": {"base", "proto"},
    "dfu": {"dfu", "base", "proto"},
    "stm32": {"stm32", "dfu", "base", "proto"},
    "image": {"image", "base", "proto"},
    "update": {"update", "stm32", "dfu", "image", "base", "proto"},
    "transport": {"transport", "base", "proto", "sim/usb"},
    "sim": {"sim", "base", "proto"},
    "device": {"device", "proto"},
}
CODE = {".cpp", ".hpp", ".c", ".h"}
SCRIPTS = {".py", ".sh", ".mjs", ".js", ".cmake", ".txt", ".md", ".html", ".json"}
LINES_MAX = 600


def module_of(path):
    """'host/dfu/src/x.cpp' -> 'dfu'; '' for files that belong to no module (tests, fuzz, bench, app)."""
    parts = path.split("/")
    if "test" in parts[1:-1]:
        return ""
    if parts[0] == "host":
        return parts[1] if parts[1] in MAY_INCLUDE else ""
    return parts[0] if parts[0] in MAY_INCLUDE else ""


def module_of_include(include):
    """'sureflash/sim/usb/device.hpp' -> 'sim/usb'; 'sureflash/base/task.hpp' -> 'base'."""
    parts = include.split("/")[1:]
    return "/".join(parts[:2]) if parts[0] == "sim" else parts[0]


def blank(match):
    return re.sub(r"[^\n]", " ", match[0])


TOKENS = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'',
                    re.S)
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def layer_rule(path, text, code):
    module = module_of(path)
    if not module:
        return
    allowed = MAY_INCLUDE[module]
    for match in INCLUDE.finditer(text):
        if not match[1].startswith("sureflash/"):
            continue
        target = module_of_include(match[1])
        if target not in allowed and target.split("/")[0] not in allowed:
            yield (line_of(text, match.start()),
                   f"{module} may not include {match[1]}; it may use {', '.join(sorted(allowed))}. Move the "
                   "code up to the module that knows both, or pass what is needed as a value")


def includes(pattern, allowed_in, replacement, only=None):
    def rule(path, text, code):
        if allowed_in(path) or (only and not only(path)):
            return
        for match in INCLUDE.finditer(text):
            if re.fullmatch(pattern, match[1]):
                yield line_of(text, match.start()), f"no <{match[1]}> here; {replacement}"
    return rule


def words(pattern, where, replacement):
    def rule(path, text, code):
        if where(path):
            for match in re.finditer(pattern, code, re.S):
                yield line_of(code, match.start()), f"no `{match[0].split()[0]}` here; {replacement}"
    return rule


def length_rule(path, text, code):
    lines = text.count("\n")
    if pathlib.PurePath(path).suffix in CODE | {".py", ".sh", ".mjs", ".js"} and lines > LINES_MAX:
        yield lines, f"{lines} lines; split the file at {LINES_MAX}: one idea, one file"


def pragma_rule(path, text, code):
    if path.endswith(".hpp") and "#pragma once" not in text:
        yield 1, "a header starts with #pragma once"


def machine_path_rule(path, text, code):
    for match in re.finditer(r"(?<![\w.])/(?:work|home|root|Users)/\w+", text):
        yield line_of(text, match.start()), f"no path of one machine ({match[0]}); make it relative to the tree"


def unfinished_rule(path, text, code):
    for match in re.finditer(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b", text):
        yield line_of(text, match.start()), f"no {match[0]} in the tree; do it, or say in the docs that it is not there"


def in_core(path):
    return module_of(path) in CORE


def in_code(path):
    return pathlib.PurePath(path).suffix in CODE


def in_libusb(path):
    return path.startswith("host/transport") and "libusb" in path


STREAMS = r"iostream|ostream|istream|sstream|fstream|iomanip|streambuf|format|print|regex|fmt/.*|nlohmann/.*|CLI/.*"
SYSTEM = r"thread|mutex|condition_variable|future|filesystem|random|unistd\.h|sys/.*|fcntl\.h"

# name: (rule, path and text of an example that breaks it)
RULES = {
    "layers": (layer_rule, "host/dfu/src/x.cpp", '#include "sureflash/transport/transport.hpp"\n'),
    "layers of image": (layer_rule, "host/image/src/x.cpp", '#include "sureflash/dfu/session.hpp"\n'),
    "layers of proto": (layer_rule, "proto/include/sureflash/proto/x.hpp",
                        '#pragma once\n#include "sureflash/base/bytes.hpp"\n'),
    "layers of update": (layer_rule, "host/update/src/x.cpp", '#include "sureflash/transport/transport.hpp"\n'),
    "layers of transport": (layer_rule, "host/transport/src/x.cpp", '#include "sureflash/sim/model/rom.hpp"\n'),
    "layers of sim": (layer_rule, "sim/model/src/x.cpp", '#include "sureflash/stm32/layout.hpp"\n'),
    "layers of device": (layer_rule, "device/dfu/src/x.cpp", '#include "sureflash/base/bytes.hpp"\n'),
    "libusb": (includes(r"(libusb-1\.0/)?libusb\.h", in_libusb, "only host/transport/libusb knows libusb: use Transport"),
               "host/app/src/x.cpp", "#include <libusb-1.0/libusb.h>\n"),
    "core text": (includes(STREAMS, lambda p: False, "use sureflash/base/text.hpp; libraries belong into app", in_core),
                  "host/base/src/x.cpp", "#include <iostream>\n"),
    "core system": (includes(SYSTEM, lambda p: False, "ask for a Step; a driver carries it out", in_core),
                    "host/update/src/x.cpp", "#include <thread>\n"),
    "core throw": (words(r"\bthrow\b", in_core, "return fail(…)"), "host/dfu/src/x.cpp", "void f() { throw 1; }\n"),
    "core try": (words(r"\btry\s*\{", in_core, "check first, or return a Result"), "host/dfu/src/x.cpp",
                 "void f() { try { g(); } catch (...) {} }\n"),
    "core numbers": (words(r"\bstd::sto(?:i|l|ll|ul|ull|f|d|ld)\b", in_core, "use std::from_chars, which does not throw"),
                     "host/image/src/x.cpp", "int i = std::stoi(s);\n"),
    "core print": (words(r"\b(?:std::)?(?:f|s|sn)?printf\b", in_core, "use sureflash/base/text.hpp"),
                   "host/stm32/src/x.cpp", "void f() { printf(s); }\n"),
    "statement expression": (words(r"\(\{[^;]*co_await", in_code, "GCC 12 crashes on co_await in a statement expression: "
                                   "name the value first"),
                             "host/app/src/x.cpp", "int i = ({ co_await f(); 1; });\n"),
    "sleep in tests": (words(r"\b(?:sleep_for|sleep_until|usleep|nanosleep)\b",
                             lambda p: "/test/" in p and in_code(p), "use virtual time"),
                       "host/dfu/test/x.cpp", "void f() { std::this_thread::sleep_for(1s); }\n"),
    "length": (length_rule, "sim/chip/src/x.cpp", "\n" * (LINES_MAX + 1)),
    "pragma once": (pragma_rule, "host/base/include/sureflash/base/x.hpp", "int f();\n"),
    "machine path": (machine_path_rule, "docs/x.md", "see /" "home/somebody/file\n"),
    "unfinished": (unfinished_rule, "host/base/src/x.cpp", "// TO" "DO: later\n"),
}


def check(root):
    """All breaches: (rule function, path, line, text)."""
    rules = list(dict.fromkeys(rule for rule, _, _ in RULES.values()))
    found = []
    for file in sorted(root.rglob("*")):
        path = file.relative_to(root).as_posix()
        top = path.split("/")[0]
        if not file.is_file() or top in (".git", "node_modules", ".cache") or top.startswith("build"):
            continue
        if file.suffix not in CODE | SCRIPTS:
            continue
        text = file.read_text(encoding="utf-8")
        code = TOKENS.sub(blank, text) if file.suffix in CODE else ""
        for rule in rules:
            found += [(rule, path, line, what) for line, what in rule(path, text, code)]
    return found


def self_test():
    """Each example breaks its rule and no other; a comment or a string breaks none."""
    failures = []
    innocent = ('// throw, try { TO-DO printf\n#include "sureflash/base/task.hpp"\n'
                'const char* s = "throw std::stoi";\n')
    for name, (rule, path, text) in {**RULES, "innocent": (None, "host/dfu/src/ok.cpp", innocent)}.items():
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / path
            file.parent.mkdir(parents=True)
            file.write_text(text, encoding="utf-8")
            got = {found for found, *_ in check(pathlib.Path(folder))}
            if got != ({rule} if rule else set()):
                failures.append(f"{name}: the example gives {len(got)} breaches")
    return failures


if __name__ == "__main__":
    if sys.argv[1] == "--self-test":
        problems = self_test()
        print(f"{len(RULES)} rules, {len(problems)} of them blind")
    else:
        breaches = check(pathlib.Path(sys.argv[1]).resolve())
        problems = [f"{path}:{line}: {what}" for _, path, line, what in breaches]
    print("\n".join(problems))
    sys.exit(bool(problems))
