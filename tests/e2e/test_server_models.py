"""Several models in one server: chosen by name, unloaded when nobody asks, opened again by the next request."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from program import Program
from server_process import Server, serving, wait_until

TINY = Path(__file__).resolve().parents[1] / "data" / "contract" / "paged"
BODY = {"prompt": [5, 6, 7], "max_tokens": 6, "temperature": 0}


@pytest.fixture
def packages(tmp_path: Path) -> list[Path]:
    return [Path(shutil.copytree(TINY, tmp_path / name)) for name in ("one", "two")]


def answer(server: Server, model: str) -> Any:
    return server.post("/v1/completions", BODY | {"model": model})["choices"]


def loaded(server: Server) -> dict[str, bool]:
    page = server.request("GET", "/metrics")[2]
    rows = [line for line in page.splitlines() if line.startswith("quire_model_loaded{")]
    return {row.split('"')[1]: row.endswith(" 1") for row in rows}


def test_a_request_chooses_its_model_and_an_idle_one_goes_and_comes_back(
    quire: Program, packages: list[Path]
) -> None:
    with serving(quire.binary, *packages, flags=("--idle-timeout", "0.5")) as server:
        golden = answer(server, "one")
        assert answer(server, "two") == golden  # the same package under another name
        wait_until(lambda: loaded(server) == {"one": False, "two": False}, "both are unloaded")
        steps = server.metric("quire_engine_steps_total")
        assert steps > 0, "what was counted is kept"
        # Whoever only looks does not bring a model back.
        seen = json.loads(server.request("GET", "/debug/engine")[2])["models"]
        assert [model["num_blocks"] for model in seen] == [0, 0]
        assert server.request("GET", "/health/ready")[0] == 200
        assert not any(loaded(server).values())
        # A crowd that finds it away is answered whole, and the other stays away.
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: answer(server, "one"), range(8)))
        assert answers == [golden] * 8
        assert loaded(server)["two"] is False
        assert server.metric("quire_engine_steps_total") > steps
        wait_until(lambda: not loaded(server)["one"], "it is unloaded again")
        assert answer(server, "two") == golden
        assert server.stop() == 0


def test_a_model_that_cannot_be_opened_again_says_why_and_comes_back_once_it_can(
    quire: Program, packages: list[Path], tmp_path: Path
) -> None:
    with serving(quire.binary, *packages, flags=("--idle-timeout", "0.2")) as server:
        golden = answer(server, "one")
        wait_until(lambda: not loaded(server)["one"], "it is unloaded")
        away = packages[0].rename(tmp_path / "away")
        error = server.post("/v1/completions", {"prompt": [5], "model": "one"}, status=500)["error"]
        assert error["message"] == "the model one cannot be opened again"
        assert any(str(packages[0]) in line for line in server.lines), "whoever runs it learns more"
        assert answer(server, "two") == golden, "the other is not touched"
        away.rename(packages[0])
        assert answer(server, "one") == golden
        wait_until(lambda: not loaded(server)["one"], "it is unloaded again")
        assert server.stop() == 0


def test_without_a_timeout_a_model_stays(quire: Program, packages: list[Path]) -> None:
    with serving(quire.binary, packages[0]) as server:
        answer(server, "one")
        assert loaded(server) == {"one": True}
        assert server.stop() == 0
