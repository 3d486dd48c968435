"""Who decides whether the model has a tool: the package, or --tools."""

from pathlib import Path

import pytest
from packages import edit_json
from program import Program

MARKERS = {"call_begin": 3, "call_end": 4, "result_begin": None, "result_end": None}


def set_tool(package: Path, tool: str | None) -> None:
    def edit(info: dict[str, object]) -> None:
        info["tool_markers"] = MARKERS | {"tool": tool}

    edit_json(package / "model_info.json", edit)


def test_a_tool_needs_a_package_that_says_where_calls_are(quire: Program, package: Path) -> None:
    run = quire("generate", "-m", package, "--tools", "calculator", "hi")
    run.assert_refused(2, "tool_markers", "leave out --tools")
    run = quire("generate", "-m", package, "--tools", "abacus", "hi")
    run.assert_refused(2, "--tools", "calculator")


@pytest.mark.parametrize("flags", [("--tools", "none"), ("--tools", "arithmetic")])
def test_a_tool_nobody_knows_is_refused_unless_another_is_given(
    flags: tuple[str, ...], quire: Program, package: Path
) -> None:
    set_tool(package, "abacus")
    quire("generate", "-m", package, "hi").assert_refused(3, "abacus", "--tools none")
    assert quire("generate", "-m", package, *flags, "-n", "2", "hi").code == 0


def test_a_package_without_a_tool_of_its_own_gets_one_when_asked(
    quire: Program, package: Path
) -> None:
    set_tool(package, None)
    for tools in ("auto", "none", "calculator"):
        assert quire("chat", "-m", package, "--tools", tools, stdin="hi\n").code == 0
