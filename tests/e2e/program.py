"""Runs the program as a user does and holds every run to what all of them promise."""

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIME_LIMIT_S = 300


@dataclass(frozen=True)
class Run:
    """What one run of the program came to."""

    code: int
    out: str
    err: str
    seconds: float

    def json_lines(self) -> list[Any]:
        """The values on stdout, one a line; only a line feed ends a line."""
        return [json.loads(line) for line in self.out.split("\n")[:-1]]

    def assert_refused(self, code: int, *words: str) -> None:
        """The contract of every failure: one line on stderr that names the cause, nothing else."""
        assert self.code == code, self
        assert self.err.count("\n") == 1 and self.err.endswith("\n"), self
        assert self.err.startswith("quire: "), self
        assert all(c >= " " for c in self.err[:-1]), self
        if code == 3:
            assert "; " in self.err, ("no next step", self)
        for word in words:
            assert word in self.err, (word, self)


class Program:
    """The binary under test."""

    def __init__(self, binary: Path) -> None:
        self.binary = binary

    def __call__(
        self,
        *arguments: str | bytes | Path,
        stdin: str | bytes = "",
        env: dict[str, str] | None = None,
        timeout: float = TIME_LIMIT_S,
    ) -> Run:
        """Runs to the end; no variable of the caller's environment named QUIRE_ gets through."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("QUIRE_")}
        begin = time.monotonic()
        done = subprocess.run(
            [self.binary, *arguments],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            env=clean | (env or {}),
            timeout=timeout,
            check=False,
        )
        seconds = time.monotonic() - begin
        out, err = done.stdout.decode("utf-8", "strict"), done.stderr.decode("utf-8", "replace")
        assert done.returncode >= 0, f"killed by signal {-done.returncode}: {arguments} {err}"
        assert done.returncode in (0, 1, 2, 3), (done.returncode, arguments, err)
        return Run(done.returncode, out, err, seconds)

    def generate(
        self,
        package: Path,
        requests: list[dict[str, Any]],
        *flags: str,
        env: dict[str, str] | None = None,
    ) -> list[dict[str, Any]]:
        """Answers of one `generate --json` call, in the order of `requests`; all must succeed."""
        lines = "".join(json.dumps(request) + "\n" for request in requests)
        run = self("generate", "-m", package, "--file", "-", "--json", *flags, stdin=lines, env=env)
        assert run.code == 0 and run.err == "", run
        answers = run.json_lines()
        assert [answer["index"] for answer in answers] == list(range(len(requests)))
        return answers
