"""The engine's greedy tokens are those of transformers in float32."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracle import Margin, load_folder, load_gguf
from packages import PackageStore
from program import Program
from quire_export.reference_ops import ReferenceGraph

LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
LINEAR = {"rope_type": "linear", "rope_theta": 500.0, "factor": 2.5}


def shape(hidden: int, heads: int, kv_heads: int, **more: Any) -> dict[str, Any]:
    """Settings of a tiny Llama with a context of 512."""
    return {
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "max_position_embeddings": 512,
    } | more


UNTIED = {"tie_word_embeddings": False}
SHAPES = {
    "tied_hidden60_heads6of10_gqa3": shape(60, 6, 2),
    "untied_hidden30_heads5of6_mha": shape(30, 5, 5, **UNTIED),
    "head20_wider_than_hidden_gqa2_vocab333": shape(
        52, 4, 2, head_dim=20, vocab_size=333, intermediate_size=33, **UNTIED
    ),
    "hidden136_heads4of34_gqa4_llama3": shape(136, 4, 1, rope_parameters=LLAMA3),
    "biases_gqa6_one_layer": shape(
        60, 6, 1, attention_bias=True, mlp_bias=True, num_hidden_layers=1, **UNTIED
    ),
    "hidden33_head10_vocab97_linear_rope": shape(
        33, 3, 3, head_dim=10, rope_parameters=LINEAR, vocab_size=97, bos_token_id=1, eos_token_id=2
    ),
}
LENGTHS = (1, 2, 3, 15, 16, 17, 31, 33, 64, 100, 257, 400)
STOCK = {"max_tokens": 24, "logprobs": 20}


def random_prompts(vocab_size: int, seed: int = 3) -> list[list[int]]:
    """One prompt of each length."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, vocab_size, length).tolist() for length in LENGTHS]


def package_of(store: PackageStore, name: str) -> Path:
    """The float32 package of a shape; models without our tokenizer's 269 ids have none."""
    config = SHAPES[name]
    return store.tiny(name, tokenizer=config.get("vocab_size", 301) >= 269, **config)


@pytest.mark.parametrize("name", SHAPES)
def test_odd_llamas_answer_like_transformers_alone_and_batched(
    name: str, quire: Program, store: PackageStore
) -> None:
    """Prompts of length 1 to 400 in one call; each alone gives the very same answer."""
    package = package_of(store, name)
    prompts = random_prompts(SHAPES[name].get("vocab_size", 301))
    requests = [{"token_ids": ids, **STOCK} for ids in prompts]
    batched = quire.generate(package, requests)
    model = load_folder(store.source_of(package))
    margin = Margin()
    for ids, request, answer in zip(prompts, requests, batched, strict=True):
        margin.check(model, ids, answer)
        alone = quire.generate(package, [request])[0]
        assert alone["token_ids"] == answer["token_ids"]
        assert alone["logprobs"] == answer["logprobs"]
    margin.conclude(name)


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_sixteen_bit_weights_answer_like_the_rounded_model(
    dtype: str, quire: Program, store: PackageStore
) -> None:
    """The oracle computes in float32 with matrices rounded as the package's are."""
    config = SHAPES["head20_wider_than_hidden_gqa2_vocab333"]
    package = store.tiny(dtype, export={"dtype": dtype}, **config)
    model = load_folder(store.source_of(package))
    kind = {"fp16": torch.float16, "bf16": torch.bfloat16}[dtype]
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.copy_(parameter.to(kind).float())
    prompts = random_prompts(333)
    requests = [{"token_ids": ids, **STOCK} for ids in prompts]
    margin = Margin()
    answers = quire.generate(package, requests, "--kv-dtype", "fp32")
    for ids, answer in zip(prompts, answers, strict=True):
        margin.check(model, ids, answer)
    margin.conclude(dtype)


@pytest.mark.parametrize("quantize", ["int8", "int4"])
def test_quantized_weights_answer_like_the_documented_arithmetic(
    quantize: str, quire: Program, store: PackageStore
) -> None:
    """Against the operators in NumPy; a rounding may fall the other way now and then."""
    config = SHAPES["head20_wider_than_hidden_gqa2_vocab333"]
    package = store.tiny(quantize, export={"quantize": quantize}, **config)
    prompts = random_prompts(333)[:9]
    requests = [{"token_ids": ids, "max_tokens": 8, "logprobs": 20} for ids in prompts]
    answers = quire.generate(package, requests, "--kv-dtype", "fp32")
    sequences = [
        ids + answer["token_ids"][:-1] for ids, answer in zip(prompts, answers, strict=True)
    ]
    graph = ReferenceGraph(package / "model.onnx", arithmetic="canonical")
    differences = []
    for ids, answer, logits in zip(prompts, answers, graph.logits(sequences, False), strict=True):
        rows = torch.from_numpy(logits[len(ids) - 1 :]).double().log_softmax(-1)
        for row, entry in zip(rows, answer["logprobs"], strict=True):
            differences += [
                abs(t["logprob"] - row[t["token_id"]].item()) for t in entry["top_logprobs"]
            ]
    print(f"{quantize}: mean {np.mean(differences):.2g}, largest {max(differences):.2g}")
    assert np.mean(differences) < 1e-3 and max(differences) < 0.02


QUESTIONS = [
    "What is the capital of France?",
    "Name three primary colours.",
    "Write a haiku about the sea.",
    "What is 17 + 25?",
    "Explain photosynthesis in one sentence.",
    "Who wrote Hamlet?",
    "Translate 'good morning' to Spanish.",
    "Give me a recipe for pancakes.",
    "Why is the sky blue?",
    "List the planets of the solar system.",
]
CONTINUATIONS = [
    "Once upon a time",
    "The quick brown fox",
    "def fibonacci(n):\n",
    "Dear Sir or Madam,",
    "1, 1, 2, 3, 5, 8,",
    "In the year 2024,",
    "a",
    "<html>\n<head>",
    "Water boils at",
    "It was a dark and stormy night. " * 15,
]


def test_the_real_model_in_fp32_answers_like_transformers(
    quire: Program, fp32_package: Path, gguf_file: Path
) -> None:
    """Twenty prompts, chat and plain, in one batch."""
    prompts = [
        {"messages": [{"role": "user", "content": text}], "max_tokens": 16, "logprobs": 20}
        for text in QUESTIONS
    ]
    requests = prompts + [
        {"token_ids": token_ids(quire, fp32_package, text), "max_tokens": 16, "logprobs": 20}
        for text in CONTINUATIONS
    ]
    answers = quire.generate(fp32_package, requests)
    model = load_gguf(gguf_file)
    margin = Margin()
    for request, answer in zip(requests, answers, strict=True):
        ids = request.get("token_ids") or chat_ids(fp32_package, request["messages"])
        assert answer["usage"]["prompt_tokens"] == len(ids)
        margin.check(model, ids, answer)
    margin.conclude("SmolLM2-135M-Instruct")
    assert "Paris" in answers[0]["text"]


def token_ids(quire: Program, package: Path, text: str) -> list[int]:
    """Ids of a text by the program itself."""
    return json.loads(quire("tokenize", "-m", package, stdin=text).out)


def chat_ids(package: Path, messages: list[dict[str, str]]) -> list[int]:
    """Ids of a conversation by transformers, from the package's own files."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(package)
    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    return tokenizer(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("isa", ["portable", "avx2", "avx512"])
def test_the_default_model_knows_the_capital_of_france(
    isa: str, quire: Program, default_package: Path
) -> None:
    """On every instruction-set path of this machine."""
    flags = ("generate", "-m", default_package, "What is the capital of France?", "-n", "16")
    run = quire(*flags, env={"QUIRE_ISA": isa})
    if run.code != 0:
        assert isa != "portable"
        run.assert_refused(2, "QUIRE_ISA", isa)
        return
    assert "Paris" in run.out and run.err == ""
