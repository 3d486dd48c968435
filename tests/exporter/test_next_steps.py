"""Every refusal of the exporter says what to do next: "cause; next step", read from its source."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "python" / "quire_export"
_ERRORS = {"ExportError", "UsageError"}
# What a next step begins with. "Check", "report": only where nothing better can be said.
_VERBS = frozenset(
    "check choose convert copy download export free get give install leave make mend move pass "
    "pull put remove rename report set take upgrade use".split()
)
_UNKNOWN = "\0"  # a value that is known only when the message is made


def _texts(node: ast.expr) -> list[str]:
    """Every text an expression may be; values as a placeholder."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        made = [""]
        for part in node.values:
            inner = _texts(part.value) if isinstance(part, ast.FormattedValue) else _texts(part)
            made = [text + more for text in made for more in inner]
        return made
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [a + b for a in _texts(node.left) for b in _texts(node.right)]
    if isinstance(node, ast.IfExp):
        return [*_texts(node.body), *_texts(node.orelse)]
    return [_UNKNOWN]


def _refusals() -> list[tuple[str, list[str]]]:
    """Where each error is made, and what it may say."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id in _ERRORS and node.args:
                found.append((f"{path.relative_to(PACKAGE)}:{node.lineno}", _texts(node.args[0])))
    return found


def says_what_to_do(text: str) -> bool:
    """Whether something behind a semicolon begins with what somebody can do."""
    parts = [part.removeprefix(" please") for part in text.split(";")[1:]]
    steps = [part.split()[0] for part in parts if part.split()]
    return any(step in _VERBS for step in steps)


@pytest.mark.parametrize(("place", "texts"), _refusals(), ids=[place for place, _ in _refusals()])
def test_a_refusal_names_the_next_step(place: str, texts: list[str]) -> None:
    """In the same line, behind the cause."""
    for text in texts:
        assert says_what_to_do(text), f"{place}: {text!r} does not say what to do"


def test_the_walk_sees_every_refusal() -> None:
    """It would prove nothing if it found none; messages are texts in place, not made elsewhere."""
    assert len(_refusals()) > 150
    assert not [place for place, texts in _refusals() if texts == [_UNKNOWN]]


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("x is wrong", False),
        ("x is wrong; this model is not supported", False),
        ("x is wrong; known: a, b", False),
        ("x is wrong; choose a", True),
    ],
)
def test_the_rule_itself(text: str, good: bool) -> None:
    """What counts as a next step."""
    assert says_what_to_do(text) is good
