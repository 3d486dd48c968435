"""Tiny random models for tests: seeded, wide (standard deviation 0.2), a few hundred kilobytes.

Other tests reuse it: `make_tiny_llama(folder)` writes a Hugging Face folder with a small
byte-level tokenizer and a chat template.
"""

import json
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM

VOCAB_SIZE = 301
BOS, EOS, USER, ASSISTANT = 256, 257, 258, 259
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}<|assistant|>{% else %}<|user|>{% endif %}"
    "{{ message['content'] }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
_MERGES = [
    ("t", "h"),
    ("th", "e"),
    ("\u0120", "a"),
    ("i", "n"),
    ("e", "r"),
    ("\u0120", "the"),
    ("a", "n"),
    ("o", "n"),
    ("in", "g"),
]


def make_tokenizer() -> Tokenizer:
    """A byte-level BPE: 256 bytes, four control tokens, a few merges."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {symbol: i for i, symbol in enumerate(alphabet)}
    controls = ["<|bos|>", "<|eos|>", "<|user|>", "<|assistant|>"]
    for token in (*controls, *("".join(pair) for pair in _MERGES)):
        vocab[token] = len(vocab)
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=_MERGES))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in controls])
    return tokenizer


def write_tokenizer(folder: Path) -> None:
    """The tokenizer's files in Hugging Face layout."""
    make_tokenizer().save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|bos|>",
        "eos_token": "<|eos|>",
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    generation = {"bos_token_id": BOS, "eos_token_id": EOS}
    (folder / "generation_config.json").write_text(json.dumps(generation))


def tiny_config(**overrides: object) -> LlamaConfig:
    """Odd sizes by default: hidden 60, head size 10, three queries to a key-value head."""
    settings: dict[str, object] = {
        "vocab_size": VOCAB_SIZE,
        "hidden_size": 60,
        "intermediate_size": 70,
        "num_hidden_layers": 2,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": True,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
        "initializer_range": 0.2,
    }
    return LlamaConfig(**(settings | overrides))


def random_llama(seed: int = 0, **overrides: object) -> LlamaForCausalLM:
    """A random float32 model; norms and biases are random as well."""
    generator = torch.Generator().manual_seed(seed)
    model = LlamaForCausalLM(tiny_config(**overrides)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(1 + 0.2 * noise if "norm" in name else 0.2 * noise)
    return model


def make_tiny_llama(
    folder: str | Path, tokenizer: bool = True, seed: int = 0, **overrides: object
) -> Path:
    """Writes a tiny random Llama as a Hugging Face folder; `overrides` are LlamaConfig fields."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    random_llama(seed, **overrides).save_pretrained(folder)
    if tokenizer:
        write_tokenizer(folder)
    return folder
