#!/usr/bin/env python3
"""Fails when src/ breaks the dependency order of layers.txt. ctest runs it as tidy.layers.

Usage: check_layers.py SRC_DIR LAYERS_FILE
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'\s*#\s*include\s*"([^"]+)"')


def read_rules(path):
    """Maps each folder to the set of folders it may include; a folder may name only earlier ones."""
    rules = {}
    for number, line in enumerate(pathlib.Path(path).read_text().splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        name, _, allowed = line.partition(":")
        unknown = [folder for folder in allowed.split() if folder not in rules]
        if unknown:
            sys.exit(f"{path}:{number}: {name}: list {', '.join(unknown)} first")
        rules[name.strip()] = set(allowed.split())
    return rules


def folder_of(path, rules):
    """The deepest folder of the rules that holds `path`."""
    holders = [name for name in rules if path.startswith(name + "/")]
    return max(holders, key=len, default=None)


def violations(root, rules):
    for file in sorted(p for p in pathlib.Path(root).rglob("*") if p.suffix in (".h", ".cc")):
        here = folder_of(file.relative_to(root).as_posix(), rules)
        if here is None:
            yield f"{file}: its folder is not in the layers file"
            continue
        for number, text in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            match = INCLUDE.match(text)
            if not match:
                continue
            there = folder_of(match[1], rules)
            if there is None:
                yield f'{file}:{number}: "{match[1]}" is in no known folder'
            elif there != here and there not in rules[here]:
                yield f"{file}:{number}: {here} must not include {match[1]}"


def main():
    root, rules_path = sys.argv[1:3]
    rules = read_rules(rules_path)
    found = list(violations(root, rules))
    print("\n".join(found) or f"layers ok: {len(rules)} folders")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
