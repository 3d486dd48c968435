"""Lines that a person types: edited, remembered from one session to the next."""

import os
import pty
import select
import subprocess
from pathlib import Path

from program import Program

UP = b"\x1b[A"
HOME_KEY, END_KEY, ERASE = b"\x01", b"\x05", b"\x7f"


def talk(quire: Program, package: Path, home: Path, typed: bytes) -> str:
    """What a session shows; it ends with what is typed."""
    ours, theirs = pty.openpty()
    chat = subprocess.Popen(
        [quire.binary, "chat", "-m", package, "-n", "1"],
        stdin=theirs, stdout=theirs, stderr=theirs,
        env={"HOME": str(home), "TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, typed)
    shown = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            shown += os.read(ours, 4096)
        except OSError:  # the program has ended, and its side of the terminal with it
            break
    os.close(ours)
    assert chat.wait(timeout=60) == 0, shown
    return shown.decode("utf-8", "replace")


def remembered(home: Path) -> list[str]:
    lines = (home / ".local" / "state" / "quire" / "chat_history").read_text().split("\n")
    return lines[1:-1]  # behind the mark of the format


def test_a_line_is_edited_before_it_is_sent(
    quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    typed = b"/hellp" + ERASE + ERASE + b"p" + HOME_KEY + END_KEY + b"\n/exit\n"
    assert "/help" in talk(quire, tiny_package, tmp_path, typed)
    assert remembered(tmp_path) == ["/help", "/exit"]


def test_the_lines_of_an_earlier_session_come_back_with_the_up_key(
    quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    talk(quire, tiny_package, tmp_path, b"an answer\n/exit\n")
    assert remembered(tmp_path) == ["an\\040answer", "/exit"]
    talk(quire, tiny_package, tmp_path, UP + UP + b" again\n" + UP + UP + b"\n")
    assert remembered(tmp_path)[2:] == ["an\\040answer\\040again", "/exit"]


def test_letters_of_every_script_arrive_whole(
    quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    """Erasing takes a letter, however many bytes it has."""
    typed = "/h\u00e9\u65e5\U0001f600".encode() + ERASE + b"\n/exit\n"
    assert "/h\u00e9\u65e5" in talk(quire, tiny_package, tmp_path, typed)
    kept = remembered(tmp_path)[0].encode().decode("unicode_escape").encode("latin-1")
    assert kept.decode() == "/h\u00e9\u65e5"


def test_the_end_of_input_ends_the_session(
    quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    assert "> " in talk(quire, tiny_package, tmp_path, b"\x04")
