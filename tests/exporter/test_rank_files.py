"""Folders whose only tokenizer is a tiktoken rank file: ids equal to tiktoken's own."""

import base64
import json
import random
from pathlib import Path

import pytest
import tiktoken
from quire_export import ExportError, ExportOptions, export_model, rank_files
from quire_export.nanochat.tokenizer_pickle import read_ranks
from tiktoken_ext.openai_public import ENDOFTEXT
from tiny_models import make_tiny_llama
from tokenizers import Tokenizer
from transformers import AutoTokenizer
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

ROOT = Path(__file__).resolve().parents[2]
PROSE = ROOT / "benchmarks" / "data" / "alice.txt"
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_SEED = random.randrange(1 << 32)


@pytest.fixture(scope="module")
def ranks() -> dict[bytes, int]:
    """A small vocabulary that was trained by others."""
    return read_ranks(ROOT / "tests/data/nanochat/A-e5-d4/tokenizer/tokenizer.pkl").ranks


def write_ranks(path: Path, ranks: dict[bytes, int]) -> None:
    """In the form of the published files."""
    lines = [f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in ranks.items()]
    path.write_text("".join(lines))


def texts() -> list[str]:
    """Prose cut anywhere, other scripts, spaces, digits."""
    print(f"seed {_SEED}")
    rng = random.Random(_SEED)
    prose = PROSE.read_text(encoding="utf-8")
    found = [prose[i : i + rng.randint(1, 200)] for i in rng.sample(range(len(prose)), 300)]
    alphabet = "abcAB 0129'sm  \t\r\n.,!?_\u00e9\u4e2d\u0416\U0001f600\u00a0"
    return found + ["".join(rng.choices(alphabet, k=rng.randint(1, 30))) for _ in range(700)]


def made(folder: Path, target: Path) -> Tokenizer:
    """The tokenizer that the exporter makes of the rank file in `folder`."""
    target.mkdir()
    config = folder / "tokenizer_config.json"
    if config.is_file():
        (target / config.name).write_text(config.read_text())
    rank_files.write_rank_tokenizer(rank_files.rank_file(folder), target)
    return Tokenizer.from_file(str(target / "tokenizer.json"))


@pytest.mark.parametrize(
    ("name", "pattern", "config"),
    [
        ("qwen.tiktoken", PRETOKENIZE_REGEX, {}),
        ("my.tiktoken", PRETOKENIZE_REGEX, {"tokenizer_class": "QWenTokenizer"}),
        ("cl100k_base.tiktoken", None, {}),
        ("o200k_base.tiktoken", None, {}),
        ("tokenizer.model", LLAMA3, {"pat_str": LLAMA3}),
        ("any.tiktoken", r"\p{L}+|\P{L}", {"pat_str": r"\p{L}+|\P{L}"}),
    ],
)
def test_ids_are_tiktoken_s(
    name: str, pattern: str | None, config: dict, ranks: dict[bytes, int], tmp_path: Path
) -> None:
    """By the published pattern: tiktoken's own, or transformers'."""
    if pattern is None:
        pattern = published_pattern(name.removesuffix(".tiktoken"))
    write_ranks(tmp_path / name, ranks)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    reference = tiktoken.Encoding("r", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    ours = made(tmp_path, tmp_path / "made")
    for text in texts():
        ids = ours.encode(text, add_special_tokens=False).ids
        assert ids == reference.encode_ordinary(text), repr(text)
        assert ours.decode(ids) == text


def published_pattern(name: str) -> str:
    """pat_str of one of tiktoken's encodings, without fetching its ranks."""
    from tiktoken_ext import openai_public

    kept = openai_public.load_tiktoken_bpe
    openai_public.load_tiktoken_bpe = lambda *_a, **_k: {}
    try:
        return openai_public.ENCODING_CONSTRUCTORS[name]()["pat_str"]
    finally:
        openai_public.load_tiktoken_bpe = kept


def test_llama_3_s_own_file_has_its_tokens_and_a_beginning(
    ranks: dict[bytes, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known by its name and its number of ranks."""
    monkeypatch.setattr(rank_files, "_LLAMA3_RANKS", len(ranks))
    write_ranks(tmp_path / "tokenizer.model", ranks)
    ours = made(tmp_path, tmp_path / "made")
    size = len(ranks)
    assert ours.get_vocab_size() == size + 256
    assert ours.token_to_id("<|eot_id|>") == size + 9
    assert ours.token_to_id("<|reserved_special_token_250|>") == size + 255
    reference = tiktoken.Encoding("r", pat_str=LLAMA3, mergeable_ranks=ranks, special_tokens={})
    for text in texts()[:200]:
        assert ours.encode(text).ids == [size, *reference.encode_ordinary(text)]
    config = json.loads((tmp_path / "made" / "tokenizer_config.json").read_text())
    assert (config["bos_token"], config["eos_token"]) == ("<|begin_of_text|>", "<|end_of_text|>")


def test_qwen_s_file_has_its_tokens(ranks: dict[bytes, int], tmp_path: Path) -> None:
    """Three markers and 205 spare ones, behind the ranks."""
    write_ranks(tmp_path / "qwen.tiktoken", ranks)
    ours = made(tmp_path, tmp_path / "made")
    ids = [ours.token_to_id(t) for t in (ENDOFTEXT, "<|im_start|>", "<|im_end|>", "<|extra_204|>")]
    assert ids == [len(ranks) + i for i in (0, 1, 2, 207)]
    assert ours.encode("e\u0301").ids == ours.encode("\u00e9").ids  # NFC


def test_a_folder_that_autotokenizer_reads_gets_its_ids(
    ranks: dict[bytes, int], tmp_path: Path
) -> None:
    """Llama 3's pattern and tokens named in tokenizer_config.json, with a gap among them."""
    size = len(ranks)
    names = {size: "<|begin_of_text|>", size + 1: "<|eot_id|>", size + 3: "<|pad|>"}
    source = make_tiny_llama(tmp_path / "source", vocab_size=size + 4)
    for old in ("tokenizer.json", "tokenizer_config.json"):
        (source / old).unlink()
    write_ranks(source / "tokenizer.model", ranks)
    decoder = {str(i): {"content": text, "special": True} for i, text in names.items()}
    (source / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "added_tokens_decoder": decoder,
                "eos_token": "<|eot_id|>",
                "pat_str": LLAMA3,
            }
        )
    )
    export_model(source, tmp_path / "package", ExportOptions(progress=False))
    ours = Tokenizer.from_file(str(tmp_path / "package" / "tokenizer.json"))
    theirs = AutoTokenizer.from_pretrained(source)
    for text in [*texts()[:300], "a<|eot_id|>b", "<|pad|><|begin_of_text|> x"]:
        assert ours.encode(text).ids == theirs.encode(text), repr(text)
    assert ours.get_vocab() == theirs.get_vocab()
    info = json.loads((tmp_path / "package" / "model_info.json").read_text())
    assert info["control_token_ids"] == [size, size + 1, size + 2, size + 3]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:-1] + [b"!!! 9\n"], "is no new byte string"),
        (lambda lines: [*lines, lines[5]], "is no new byte string"),
        (lambda lines: lines[:40] + lines[41:], "gaps or doubles"),
        (lambda lines: [*lines, b"YWJjZGVmZ2g= 5\n"], "gaps or doubles"),
        (lambda lines: [*lines, b"YWJjZGVmZ2g= 99999999999999999999\n"], "is no new byte string"),
    ],
)
def test_damaged_rank_files_are_refused(
    change: object, message: str, ranks: dict[bytes, int], tmp_path: Path
) -> None:
    """By name and line, before anything is made of them."""
    path = tmp_path / "qwen.tiktoken"
    write_ranks(path, ranks)
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    with pytest.raises(ExportError, match=message):
        made(tmp_path, tmp_path / "made")


def test_a_byte_without_a_token_is_refused(ranks: dict[bytes, int], tmp_path: Path) -> None:
    """Some text would have no ids."""
    kept = {token: rank for token, rank in ranks.items() if token != b"q"}
    write_ranks(tmp_path / "qwen.tiktoken", {t: i for i, t in enumerate(kept)})
    with pytest.raises(ExportError, match="no token for byte 113"):
        made(tmp_path, tmp_path / "made")


def test_a_file_without_a_known_pattern_says_where_to_put_it(
    ranks: dict[bytes, int], tmp_path: Path
) -> None:
    """Guessing would give wrong ids silently."""
    write_ranks(tmp_path / "tokenizer.model", ranks)
    with pytest.raises(ExportError, match="put that into tokenizer_config.json as"):
        made(tmp_path, tmp_path / "made")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"pat_str": "("}, "pat_str cannot be used"),
        ({"added_tokens_decoder": {"x": "a"}}, "bad entry"),
        ({"added_tokens_decoder": {"99999999": "a"}}, "far beyond"),
        ({"added_tokens_decoder": {"5000": "a", "5001": "a"}}, "two added tokens"),
    ],
)
def test_bad_configurations_are_refused(
    config: dict, message: str, ranks: dict[bytes, int], tmp_path: Path
) -> None:
    """By name."""
    write_ranks(tmp_path / "qwen.tiktoken", ranks)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(ExportError, match=message):
        made(tmp_path, tmp_path / "made")


def test_two_rank_files_are_refused(ranks: dict[bytes, int], tmp_path: Path) -> None:
    """Which one is meant cannot be known."""
    for name in ("qwen.tiktoken", "other.tiktoken"):
        write_ranks(tmp_path / name, ranks)
    with pytest.raises(ExportError, match="leave one of them"):
        rank_files.rank_file(tmp_path)


def test_a_tokenizer_json_goes_before_a_rank_file(ranks: dict[bytes, int], tmp_path: Path) -> None:
    """It says more."""
    write_ranks(tmp_path / "qwen.tiktoken", ranks)
    (tmp_path / "tokenizer.json").write_text("{}")
    assert rank_files.rank_file(tmp_path) is None
