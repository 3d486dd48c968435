#!/usr/bin/env python3
"""Fails when documentation names what is not there. ctest runs it as tidy.docs.

Checked in README.md, CONTRIBUTING.md, docs/*.md and the README.md of folders, inside `code spans`:
  `path/file.cc: Symbol, Other::symbol`   the file exists and holds each symbol
  `file.cc`, `src/engine/`, `docs/x.md`   a source or a tracked path of that name exists
  `Class::member`                         some source declares that class and names the member
Further: relative links of every page, the folders in the table of layers of docs/ARCHITECTURE.md, and
pages of docs/ that comments in sources mention. Fenced blocks are left to tests/e2e/test_docs.py.
"""
import fnmatch
import pathlib
import re
import subprocess
import sys

FENCE = re.compile(r"^\s*```.*?^\s*```", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")
PAIR = re.compile(r"^([\w./-]+\.(?:cc|h|py|cmake|sh|txt|json)): (.+)$")
BARE_FILE = re.compile(r"^[\w.-]+\.(?:cc|h|cmake)$")
MEMBER = re.compile(r"^(?:[A-Za-z_]\w*::)+~?[A-Za-z_]\w*(?:\(\))?$")
SYMBOL = re.compile(r"^~?[A-Za-z_]\w*(?:::~?[A-Za-z_]\w*)*$")
MENTIONED_PAGE = re.compile(r"\bdocs/[\w/-]+(?:\.md)?")
# Not ours, so not here.
FOREIGN_NAMESPACES = {"std", "Ort", "at", "c10", "torch", "nlohmann", "testing"}
LAYER_ROW = re.compile(r"^\| `src/([\w/]+)` \|", re.MULTILINE)


class Tree:
    """The tracked files of a repository and their texts."""

    def __init__(self, root):
        self.root = root
        listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"],
                                cwd=root, check=True, capture_output=True, text=True).stdout
        self.names = [name for name in listed.split("\n") if name and (root / name).is_file()]
        self.folders = {parent.as_posix() for name in self.names
                        for parent in pathlib.PurePosixPath(name).parents}
        self.top = {name.split("/")[0] for name in self.names if "/" in name}
        self.texts = {}

    def text(self, name):
        if name not in self.texts:
            self.texts[name] = (self.root / name).read_text(encoding="utf-8")
        return self.texts[name]

    def has_path(self, path):
        path = path.rstrip("/")
        if path in self.folders or path in self.names:
            return True
        if re.fullmatch(r"docs/adr/\d{4}", path):
            return any(name.startswith(path) for name in self.names)
        return "*" in path and any(fnmatch.fnmatch(name, path) for name in self.names)

    def files_named(self, name):
        """Files that a page means by `name`: a path from the root, or the end of one."""
        return [file for file in self.names if file == name or file.endswith("/" + name)]

    def sources(self):
        return [name for name in self.names
                if name.startswith(("src/", "include/", "tests/support/")) and name.endswith((".h", ".cc"))]


def holds(text, symbol):
    """Whether a source has `symbol`: as it is written, or a member beside the class it is of."""
    parts = symbol.split("::")
    if len(parts) == 1 or re.search(rf"\b{re.escape(symbol)}\b", text):
        return re.search(rf"(?<![\w~]){re.escape(symbol)}\b", text) is not None
    owner = rf"\b(?:class|struct|enum|enum class|namespace) (?:\w+::)*{parts[-2]}\b"
    return bool(re.search(owner, text)) and holds(text, parts[-1])


def problems_of_pair(tree, file, symbols):
    files = tree.files_named(file)
    if not files:
        yield f"there is no {file}"
        return
    for symbol in (part.strip().removesuffix("()") for part in symbols.split(",")):
        if not SYMBOL.match(symbol):
            yield f'"{symbol}" is no symbol; write `{file}: Name, Other::name`'
        elif not any(holds(tree.text(name), symbol) for name in files):
            yield f"{file} has no {symbol}"


def problems_of_span(tree, span):
    pair = PAIR.match(span)
    if pair:
        yield from problems_of_pair(tree, pair[1], pair[2])
        return
    if MEMBER.match(span):
        if span.split("::")[0] not in FOREIGN_NAMESPACES:
            symbol = span.removesuffix("()").removeprefix("quire::")
            if not any(holds(tree.text(name), symbol) for name in tree.sources()):
                yield f"no source has {span}"
        return
    if BARE_FILE.match(span) and not tree.files_named(span):
        yield f"there is no {span}"
    for word in span.split():
        word = word.strip("\"',;:()")
        is_path = word.split("/")[0] in tree.top and "/" in word and not re.search(r"[<>$…{]", word)
        if is_path and not tree.has_path(word):
            yield f"there is no {word}"


def problems_of_page(tree, name):
    text = FENCE.sub(lambda match: "\n" * match[0].count("\n"), tree.text(name))
    for number, line in enumerate(text.split("\n"), 1):
        for span in SPAN.findall(line):
            yield from (f"{name}:{number}: {what}" for what in problems_of_span(tree, span))
        for link in LINK.findall(line):
            target = (tree.root / name).parent / link
            if not re.match(r"[a-z]+:", link) and not target.exists():
                yield f"{name}:{number}: the link {link} leads nowhere"


def problems_of_layers(tree):
    """The table of folders has the folders of layers.txt, all of them and no other."""
    page, layers = "docs/ARCHITECTURE.md", "src/layers.txt"
    if page not in tree.names or layers not in tree.names:
        return
    table = re.search(r"^\| folder \|.*?(?=^$|\Z)", tree.text(page), re.DOTALL | re.MULTILINE)
    named = set(LAYER_ROW.findall(table[0] if table else ""))
    known = set(re.findall(r"^([\w/]+):", tree.text(layers), re.MULTILINE)) - {"quire"}
    yield from (f"{page}: src/{folder} is no folder of {layers}" for folder in sorted(named - known))
    # A row may speak for the folders below it.
    missing = {f for f in known - named if f.split("/")[0] not in named}
    yield from (f"{page}: the table of layers leaves out src/{folder}" for folder in sorted(missing))


def problems_of_comments(tree, name):
    for number, line in enumerate(tree.text(name).split("\n"), 1):
        for page in MENTIONED_PAGE.findall(line):
            if not any(known.startswith(page) for known in tree.names):
                yield f"{name}:{number}: there is no {page}"


def find_problems(root):
    tree = Tree(root)
    pages = [name for name in tree.names if name.endswith(".md")]
    for name in pages:
        is_history = name == "CHANGELOG.md" or name.startswith("docs/adr/0")
        if not is_history:
            yield from problems_of_page(tree, name)
    yield from problems_of_layers(tree)
    for name in tree.names:
        if name.endswith((".h", ".cc", ".cmake", ".sh")) or name.endswith("CMakeLists.txt"):
            yield from problems_of_comments(tree, name)


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
    found = list(find_problems(root if root.is_dir() else root.parent.parent))
    print("\n".join(found) or "docs ok")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
