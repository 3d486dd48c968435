"""nanochat's conversations, as upstream's own code turned them into tokens."""

import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))

from quire_export.nanochat.tokenizer_files import CHAT_TEMPLATE, make_tokenizer  # noqa: E402
from quire_export.nanochat.tokenizer_pickle import read_ranks  # noqa: E402

DATA = ROOT / "tests" / "data" / "nanochat"
NAMES = ("A-e5-d4", "B-e0-d3", "C-e2-d4")


def ask(program, lines, *arguments):
    """The answers of a driver, one a line."""
    found = list(ROOT.glob(f"build/*/tests/{program}"))
    assert found, f"build the target {pathlib.Path(program).name}"
    newest = max(found, key=lambda path: path.stat().st_mtime)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run([newest, *arguments], input=text, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.split("\n")[:-1]]


@pytest.fixture(scope="module", params=NAMES)
def run(request, tmp_path_factory):
    """The goldens of a run, and a folder with its tokenizer."""
    folder = tmp_path_factory.mktemp("tokenizer")
    ranks = read_ranks(DATA / request.param / "tokenizer" / "tokenizer.pkl")
    make_tokenizer(ranks).save(str(folder / "tokenizer.json"))
    goldens = {
        kind: json.loads((DATA / request.param / "golden" / f"{kind}.json").read_text())
        for kind in ("conversations", "tokenizer")
    }
    return goldens, folder


def render(conversations, folder, generation):
    """Ids of conversations, or the error of each that has one."""
    options = {"add_generation_prompt": generation}
    requests = [{"template": CHAT_TEMPLATE, "messages": m, "options": options} for m in conversations]
    rendered = ask("oracle_chat/render_driver", requests)
    spans = [answer["spans"] for answer in rendered if "error" not in answer]
    ids = iter(ask("oracle_tokenizer/tokenize_driver", spans, folder, "--spans"))
    return [answer["error"] if "error" in answer else next(ids) for answer in rendered]


def test_conversations_have_upstreams_tokens(run):
    goldens, folder = run
    cases = goldens["conversations"]["conversations"]
    assert len(cases) == 13
    rendered = render([case["conversation"]["messages"] for case in cases], folder, False)
    for case, ids in zip(cases, rendered, strict=True):
        limit = case.get("max_tokens", goldens["conversations"]["default_max_tokens"])
        assert ids[:limit] == case["ids"], case["name"]
    asked = [case for case in cases if case.get("completion_ids")]
    assert asked
    turns = [case["conversation"]["messages"][:-1] for case in asked]
    for case, ids in zip(asked, render(turns, folder, True), strict=True):
        assert ids == case["completion_ids"], case["name"]


def test_conversations_that_upstream_refuses_are_refused(run):
    goldens, folder = run
    cases = goldens["conversations"]["invalid"]
    assert len(cases) == 7
    for case, answer in zip(cases, render([c["messages"] for c in cases], folder, False), strict=True):
        assert isinstance(answer, str) and answer, case["name"]


def test_texts_have_upstreams_tokens_and_tokens_upstreams_texts(run):
    goldens, folder = run
    cases = goldens["tokenizer"]["encode"]
    assert len(cases) == 244
    answers = ask("oracle_tokenizer/tokenize_driver", [case["text"] for case in cases], folder)
    for case, ids in zip(cases, answers, strict=True):
        assert ids == case["ids"], case["text"]
    cases = goldens["tokenizer"]["decode"]
    requests = [{"ids": case["ids"], "skip_special": False} for case in cases]
    for case, answer in zip(
        cases, ask("oracle_tokenizer/tokenize_driver", requests, folder, "--decode"), strict=True
    ):
        assert answer == {"text": case["text"], "stream": case["text"]}, case["ids"]
