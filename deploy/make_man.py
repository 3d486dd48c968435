#!/usr/bin/env python3
"""Writes manual pages from what `quire --help` and `quire COMMAND --help` print.

Usage: make_man.py QUIRE FOLDER
One page for the program, quire.1, and one for each command, quire-COMMAND.1.
"""

import re
import subprocess
import sys
from pathlib import Path


def help_of(binary: str, *command: str) -> str:
    done = subprocess.run([binary, *command, "--help"], capture_output=True, text=True, check=True)
    return done.stdout


def roff(text: str) -> str:
    """Text as roff prints it: nothing is a request or an escape, and a hyphen can be copied."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.MULTILINE)


def options(block: str) -> list[str]:
    """The entries of a list of options or commands as .TP paragraphs."""
    lines = []
    for entry in re.findall(r"^  (\S.*(?:\n {10,}.*)*)", block, re.MULTILINE):
        name, what = re.match(r"(.*?)(?:\s{2,}|\n\s+)([^\n]*(?:\n.*)*)$", entry + "\n  ").groups()
        lines += [".TP", rf"\fB{roff(name.strip())}\fR", roff(" ".join(what.split()))]
    return lines


def page(name: str, text: str, version: str, see: list[str]) -> str:
    about, rest = text.split("\nUsage: ", 1)
    about = about.strip().removeprefix("quire: ")
    usage, rest = rest.split("\n", 1)
    lines = [f'.TH {name.upper()} 1 "" "quire {version}" "Quire"', ".SH NAME", rf"{roff(name)} \- {roff(about)}",
             ".SH SYNOPSIS", rf"\fB{roff(usage)}\fR", ".SH DESCRIPTION", roff(about) + "."]
    for title, block in re.findall(r"^([A-Z][\w ]*):\n((?:(?!^[A-Z][\w ]*:\n)(?:.*\n?))*)", rest, re.MULTILINE):
        if title.startswith("Example"):
            lines += [".SH EXAMPLES", ".nf", roff(block.rstrip()), ".fi"]
        else:
            lines += [f".SH {roff(title.upper())}", *options(block)]
    lines += [".SH EXIT STATUS", "0: done. 1: something failed. 2: wrong usage. 3: a model or input file is missing, damaged or not understood."]
    lines += [".SH SEE ALSO", ", ".join(rf"\fB{roff(other)}\fR(1)" for other in see if other != name)]
    return "\n".join(lines) + "\n"


def main() -> None:
    binary, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    top = help_of(binary)
    commands = re.findall(r"^  (\w+) {4,}", top.split("Subcommands:")[1], re.MULTILINE)
    see = ["quire", *(f"quire-{command}" for command in commands)]
    (folder / "quire.1").write_text(page("quire", top, version, see), encoding="utf-8")
    for command in commands:
        name = f"quire-{command}"
        (folder / f"{name}.1").write_text(page(name, help_of(binary, command), version, ["quire"]), encoding="utf-8")


if __name__ == "__main__":
    main()
