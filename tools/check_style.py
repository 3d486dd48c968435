#!/usr/bin/env python3
"""Checks what no formatter does: sizes, banned words, ASCII, dead files. Run from anywhere.

A file has at most 500 lines, a C++ or Python function at most 60 and six parameters (generated files
excepted by name), the library never prints or exits, source is ASCII, every source file is built, and
no build file compiles a source out of another room. ctest runs it as tidy.style.
"""
import ast
import pathlib
import re
import subprocess
import sys

from cc_functions import Unreadable, functions

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60
MAX_PARAMETERS = 6
GENERATED = {"src/tokenizer/unicode_tables.cc"}
# What only the command line may do; check.cc reports broken invariants just before it aborts.
PRINTS = re.compile(r"\b(printf|fprintf|puts|fputs|std::cout|std::cerr|exit|abort)\s*(\(|<<)")
MAY_PRINT = ("src/cli/", "src/base/check.cc", "examples/", "tests/", "fuzz/", "benchmarks/")
# A flag in a message of the library, which has no flags: it names options by their fields.
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
FLAG = re.compile(r"(?<!quire-export )(?<!\w)--[a-z]")
BANNED = re.compile(r"\b(TODO(?!\(#\d+\))|FIXME|XXX|HACK)\b|GTEST_SKIP|DISABLED_|pytest\.mark\.xfail")
# A source file as a build file names it, and the rooms whose build files may name only their own.
CMAKE_SOURCE = re.compile(r"[^\s()\";]+\.(?:cc|cpp|cxx|c)\b")
CMAKE_ROOMS = ("src/", "tests/", "fuzz/", "benchmarks/", "examples/")
OWN_FOLDER = ("${CMAKE_CURRENT_SOURCE_DIR}/", "${CMAKE_CURRENT_BINARY_DIR}/", "${PROJECT_BINARY_DIR}/")
SOURCE_SUFFIXES = {".h", ".cc", ".py", ".sh", ".cmake"}


def tracked_files(root):
    names = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"],
                           cwd=root, check=True, capture_output=True, text=True).stdout.split("\n")
    return [name for name in names if name and (root / name).is_file()]


def check_lines(name, text):
    lines = text.splitlines()
    if len(lines) > MAX_FILE_LINES and name not in GENERATED:
        yield f"{name}: {len(lines)} lines, more than {MAX_FILE_LINES}"
    for number, line in enumerate(lines, 1):
        if BANNED.search(line) and name != "tools/check_style.py":
            yield f"{name}:{number}: a word that should not stay: {line.strip()}"
        if name.endswith((".h", ".cc")):
            if not line.isascii() and not name.startswith("tests/"):
                yield f"{name}:{number}: not ASCII"
            if len(line) > 100:
                yield f"{name}:{number}: longer than 100 columns"
            code = line.split("//")[0]
            if name.startswith("src/") and not name.startswith(MAY_PRINT) and PRINTS.search(code):
                yield f"{name}:{number}: the library never prints, exits or aborts"
            if name.startswith("src/") and not name.startswith("src/cli/") and names_flag(code):
                yield f"{name}:{number}: the library names options by their fields; src/cli spells the flags"


def names_flag(code):
    return any(FLAG.search(literal) for literal in STRING.findall(code))


def check_cc_functions(name, text):
    try:
        found = functions(text)
    except Unreadable as problem:
        yield f"{name}: {problem}"
        return
    for function in found:
        where = f"{name}:{function.first_line}: {function.name}"
        if function.has_body and function.num_lines > MAX_FUNCTION_LINES:
            yield f"{where} has {function.num_lines} lines"
        if function.num_parameters > MAX_PARAMETERS:
            yield f"{where} has {function.num_parameters} parameters"


def check_py_functions(name, text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = node.end_lineno - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                yield f"{name}:{node.lineno}: {node.name} has {length} lines"


def check_rooms(name, text):
    """A build file of a room names sources that lie beside it or are made in the build folder."""
    if not name.startswith(CMAKE_ROOMS):
        return
    for number, line in enumerate(text.splitlines(), 1):
        for source in CMAKE_SOURCE.findall(line.split("#")[0]):
            outside = source
            for own in OWN_FOLDER:
                outside = outside.removeprefix(own)
            if outside == source and "/" in source or outside.startswith("../") or "/../" in outside:
                yield f"{name}:{number}: {source} is a source out of another room"


def check_built(root, names):
    """Every .cc of src/ and tests/unit is named in the CMakeLists.txt beside it."""
    for name in names:
        path = pathlib.PurePosixPath(name)
        if path.suffix != ".cc" or not name.startswith(("src/", "tests/unit/")):
            continue
        cmake = root / path.parent / "CMakeLists.txt"
        if not cmake.exists() or not re.search(rf"\b{re.escape(path.name)}\b", cmake.read_text()):
            yield f"{name}: not built by {path.parent}/CMakeLists.txt"


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    names = tracked_files(root)
    problems = list(check_built(root, names))
    for name in names:
        path = pathlib.PurePosixPath(name)
        if path.name == "CMakeLists.txt":
            problems += check_rooms(name, (root / name).read_text(encoding="utf-8"))
        if path.suffix not in SOURCE_SUFFIXES:
            continue
        text = (root / name).read_text(encoding="utf-8")
        problems += check_lines(name, text)
        if name.endswith((".h", ".cc")) and name not in GENERATED:
            problems += check_cc_functions(name, text)
        if name.endswith(".py"):
            problems += check_py_functions(name, text)
    print("\n".join(problems) or f"style ok: {len(names)} files")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
