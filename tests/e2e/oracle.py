"""transformers in float32 as the oracle, and the margin rule that compares with it fairly."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

MAX_LOGIT_DIFFERENCE = 2e-4
MIN_GAP = 1e-3
MAX_NEAR_TIES = 0.01


@dataclass
class Margin:
    """Compares greedy answers with an oracle's logits, position by position.

    Both sides are fed the same tokens (ours, which equal the oracle's up to the first near tie), so
    one difference does not become many. Logits above 10 carry float32's rounding with them: the
    tolerance grows in proportion (docs/model_package.md).
    """

    positions: int = 0
    near_ties: int = 0
    worst: float = 0.0

    def check(self, model: Any, prompt: list[int], answer: dict[str, Any]) -> None:
        """Every token of one answer is the oracle's best, and its log-probabilities are right."""
        ids = answer["token_ids"]
        assert ids, answer
        with torch.no_grad():
            rows = model(input_ids=torch.tensor([prompt + ids[:-1]])).logits[0, len(prompt) - 1 :]
        rows = rows.double()
        scale = max(1.0, rows.abs().max().item() / 10)
        gap_allowed = max(MIN_GAP, 2 * MAX_LOGIT_DIFFERENCE * scale)
        recorded = answer.get("logprobs", [{"top_logprobs": []}] * len(ids))
        best, order = rows.topk(2, dim=-1)
        logprobs = rows.log_softmax(-1)
        for i, token in enumerate(ids):
            where = (len(prompt), i, token, order[i].tolist(), best[i].tolist())
            self.positions += 1
            near = (best[i, 0] - best[i, 1]).item() <= gap_allowed
            self.near_ties += near
            assert token == order[i, 0] or (near and token == order[i, 1]), where
            for entry in recorded[i]["top_logprobs"]:
                difference = abs(entry["logprob"] - logprobs[i, entry["token_id"]].item())
                assert math.isfinite(difference), where
                self.worst = max(self.worst, difference / scale)

    def conclude(self, what: str) -> None:
        """Prints the count; fails where ties or differences are more than rounding explains."""
        print(
            f"{what}: {self.positions} positions, {self.near_ties} near ties, "
            f"log-probabilities within {self.worst:.2g} (scaled)"
        )
        assert self.near_ties <= MAX_NEAR_TIES * self.positions
        # A log-probability is a logit less the logarithm of a sum: each may be off by as much.
        assert self.worst <= 2 * MAX_LOGIT_DIFFERENCE


def load_folder(folder: Path) -> Any:
    """A Hugging Face folder in float32, ready to evaluate."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def load_gguf(file: Path) -> Any:
    """A Llama from a GGUF file in float32, dequantized by the gguf package.

    transformers would read the weights itself, but only with `accelerate` beside it; this needs
    nothing more and shares no code with the exporter.
    """
    from gguf import GGUFReader, dequantize
    from tiny_gguf import gguf_name, unpermute
    from transformers import AutoConfig, LlamaForCausalLM

    config = AutoConfig.from_pretrained(file.parent, gguf_file=file.name)
    model = LlamaForCausalLM(config).float().eval()
    stored = {tensor.name: tensor for tensor in GGUFReader(file).tensors}
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    used = set()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            used.add(gguf_name(name))
            tensor = stored[gguf_name(name)]
            values = dequantize(tensor.data, tensor.tensor_type)
            for projection, count in heads.items():
                values = unpermute(values, count) if projection in name else values
            parameter.copy_(torch.from_numpy(values.copy()))
    assert used == set(stored), set(stored) - used
    return model
