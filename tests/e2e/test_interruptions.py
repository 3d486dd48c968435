"""A program that is stopped in the middle of its work leaves nothing behind."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from program import Program


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_leaves_no_file_and_the_next_answers_the_same(
    stop: signal.Signals, quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    """Stopped once it has read its prompts and is generating, by what a user or a system sends."""
    prompts = tmp_path / "prompts.jsonl"
    line = {"token_ids": list(range(3, 40)), "max_tokens": 20, "ignore_eos": True}
    prompts.write_text(json.dumps(line) + "\n")
    command = ["generate", "-m", tiny_package, "--file", prompts, "--json"]
    before = json.loads(quire(*command).out)["token_ids"]
    files = {path: path.stat().st_mtime_ns for path in tiny_package.rglob("*")}

    endless = {**line, "max_tokens": 470, "n": 128, "temperature": 1.0}
    prompts.write_text((json.dumps(endless) + "\n") * 200)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    run = subprocess.Popen(
        [quire.binary, *command, "--stats"],
        cwd=scratch,
        env={**os.environ, "TMPDIR": str(scratch), "HOME": str(scratch)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        # Tests that run in the background are started with SIGINT ignored, which a child inherits.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert run.stderr is not None and run.stderr.read(1), "the first statistics: it is at work"
        run.send_signal(stop)
        assert run.wait(timeout=30) != 0
        run.stderr.close()
    finally:
        run.kill()
    assert not list(scratch.iterdir())
    assert files == {path: path.stat().st_mtime_ns for path in tiny_package.rglob("*")}

    prompts.write_text(json.dumps(line) + "\n")
    assert json.loads(quire(*command).out)["token_ids"] == before


def test_a_reader_that_goes_away_ends_the_run(
    quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    """As `quire generate ... | head -1` does; no crash and no endless work for nobody."""
    prompts = tmp_path / "prompts.jsonl"
    line = json.dumps({"token_ids": [5, 6, 7], "max_tokens": 4, "ignore_eos": True})
    prompts.write_text((line + "\n") * 3000)
    run = subprocess.Popen(
        [quire.binary, "generate", "-m", tiny_package, "--file", prompts, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert run.stdout is not None and run.stderr is not None
    run.stdout.close()
    assert run.wait(timeout=120) in (0, 1)
    assert run.stderr.read().count(b"\n") <= 1
    run.stderr.close()
