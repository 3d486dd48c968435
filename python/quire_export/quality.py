"""What storing weights in fewer bits costs: perplexity and best tokens on a little prose."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch

from quire_export.errors import EXIT_OTHER, ExportError
from quire_export.golden import PackageTokenizer
from quire_export.source import Reference

# More than this and something is wrong with the model, the method or the choice of bits.
MAX_RISE = 1.25
_MAX_TOKENS, _WINDOW = 1024, 512
# The beginning of Alice's Adventures in Wonderland (1865), in the public domain.
_TEXT = Path(__file__).with_name("quality_text.txt")


@dataclass(frozen=True)
class Quality:
    """Of `num_tokens` predictions: both perplexities, and how often the best token is the same."""

    num_tokens: int
    source_perplexity: float
    stored_perplexity: float
    agreement: float

    @property
    def rise(self) -> float:
        """The stored model's perplexity over the source's."""
        return self.stored_perplexity / self.source_perplexity


def windows_of(
    tokenizer: PackageTokenizer | None, bos: int | None, max_seq_len: int
) -> list[list[int]]:
    """The text in pieces of at most 512 ids, each after the beginning-of-sequence id.

    Empty without a tokenizer, or where the context leaves no prediction.
    """
    if tokenizer is None:
        return []
    ids = tokenizer.encode(_TEXT.read_text(encoding="utf-8"), special=False)[:_MAX_TOKENS]
    start = [] if bos is None else [bos]
    size = min(_WINDOW, max_seq_len) - len(start)
    pieces = [ids[i : i + size] for i in range(0, len(ids), size)] if size > 1 else []
    return [start + piece for piece in pieces if len(piece) > 1]


@torch.inference_mode()
def predictions(model: Reference, windows: list[list[int]]) -> tuple[float, torch.Tensor]:
    """Sum of the negative log-likelihoods of all tokens but each first; best ids int64 [n]."""
    total, best = 0.0, [torch.empty(0, dtype=torch.int64)]
    for window in windows:
        ids = torch.tensor(window)
        logits = model(input_ids=ids[None]).logits[0, :-1].float()
        total += torch.nn.functional.cross_entropy(logits, ids[1:], reduction="sum").item()
        best.append(logits.argmax(dim=-1))
    return total, torch.cat(best)


def compare(
    source: tuple[float, torch.Tensor], stored: tuple[float, torch.Tensor]
) -> Quality | None:
    """Both sides' predictions() as a Quality; None when there were none."""
    count = len(source[1])
    if count == 0:
        return None
    return Quality(
        num_tokens=count,
        source_perplexity=math.exp(min(source[0] / count, 700.0)),
        stored_perplexity=math.exp(min(stored[0] / count, 700.0)),
        agreement=(source[1] == stored[1]).float().mean().item(),
    )


def check_quality(quality: Quality, vocab_size: int, forced: bool) -> None:
    """Refuses a package whose weights lost too much.

    A source that predicts the text no better than chance (a random test model) has nothing to lose.
    """
    if forced or quality.source_perplexity >= vocab_size or quality.rise <= MAX_RISE:
        return
    raise ExportError(
        f"the stored weights raise the perplexity from {quality.source_perplexity:.4g} to "
        f"{quality.stored_perplexity:.4g}, by more than {MAX_RISE - 1:.0%}; use more bits "
        "(--quantize int8) or pass --force-quality to have the package all the same",
        EXIT_OTHER,
    )
