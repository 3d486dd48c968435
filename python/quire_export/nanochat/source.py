"""Makes a nanochat directory a source of the exporter."""

import math
from dataclasses import replace
from pathlib import Path

import torch

from quire_export.errors import ExportError
from quire_export.files import sha256_of
from quire_export.nanochat.checkpoint import Checkpoint, find_model, load_checkpoint
from quire_export.nanochat.decoder import NanochatDecoder
from quire_export.nanochat.eras import NanochatSpec
from quire_export.nanochat.reference import NanochatReference
from quire_export.nanochat.tokenizer_files import (
    check_tokenizer,
    make_tokenizer,
    special_ids,
    tool_markers,
    write_tokenizer_files,
)
from quire_export.nanochat.tokenizer_pickle import Ranks, read_ranks
from quire_export.options import ExportOptions
from quire_export.progress import Progress
from quire_export.source import Source

_DEFAULT_SOURCE = "sft"
# The other soft-cap must fit this much better, in nats a token, for the note to say "clearly".
_CLEAR_NATS = 0.01
_LONGEST_GOLDEN = 1024
# Text every nanochat has seen the like of: plain English prose, written for this purpose.
_PROBE_TEXT = (
    "The river runs through the middle of the old town, and for most of the year it is quiet. "
    "In spring, when the snow in the mountains melts, the water rises quickly and people carry "
    "their boats up to the street. There are three bridges. The oldest one was built of stone "
    "more than two hundred years ago, and every child in the town knows the story of how it "
    "survived the great flood. On market days farmers come from the villages with bread, cheese "
    "and apples. They talk about the weather, about the price of wheat, and about their families. "
    "In the evening, when the shops close, the square is empty again and you can hear the water."
)


def load_nanochat(folder: Path, options: ExportOptions, progress: Progress) -> Source:
    """The checkpoint of a nanochat base directory that the options name."""
    source = options.source or _DEFAULT_SOURCE
    chosen, step = find_model(folder, source, options.model_tag, options.step)
    ranks = read_ranks(folder / "tokenizer" / "tokenizer.pkl")
    checkpoint = load_checkpoint(chosen, step, options.softcap)
    check_tokenizer(ranks, checkpoint.spec.vocab_size)
    if checkpoint.alternative is not None:
        progress.step("telling eras E2 and E3 apart")
        checkpoint = _decide(checkpoint, ranks, options)
    spec, tensors = checkpoint.spec, checkpoint.tensors
    return Source(
        name=f"nanochat-{checkpoint.tag}-{source}",
        spec=spec,
        tensors=tensors,
        reference=lambda _spec: NanochatReference(spec, tensors),
        write_tokenizer=lambda out: write_tokenizer_files(ranks, source != "base", out),
        info={
            "kind": "nanochat",
            "file": checkpoint.model_file.name,
            "sha256": sha256_of(checkpoint.model_file),
            "checkpoint": source,
            "model_tag": checkpoint.tag,
            "step": checkpoint.step,
            "era": spec.era.name,
            "tokenizer_sha256": sha256_of(folder / "tokenizer" / "tokenizer.pkl"),
        },
        special_ids=special_ids(ranks),
        build=NanochatDecoder,
        reference_name="nanochat's forward pass by quire-export",
        plain_tensors=frozenset(name for name in tensors if name.endswith("_gate.weight")),
        golden_lengths=_beyond_windows(spec),
        tool_markers=tool_markers(ranks),
    )


def _beyond_windows(spec: NanochatSpec) -> tuple[int, ...]:
    """A prompt length that the shortest window does not span, where that is affordable."""
    windows = [spec.window(layer) for layer in range(spec.num_layers)]
    shortest = min((window for window in windows if window > 0), default=_LONGEST_GOLDEN)
    return (shortest + 32,) if shortest + 32 <= _LONGEST_GOLDEN else ()


def _decide(checkpoint: Checkpoint, ranks: Ranks, options: ExportOptions) -> Checkpoint:
    """The checkpoint with the soft-cap under which a fixed text is less surprising."""
    specs = (checkpoint.spec, checkpoint.alternative)
    tokenizer = make_tokenizer(ranks)
    bos = special_ids(ranks)["bos"]
    ids = [bos, *tokenizer.encode(_PROBE_TEXT, add_special_tokens=False).ids]
    ids = ids[: checkpoint.spec.sequence_len]
    losses = [_loss(NanochatReference(spec, checkpoint.tensors), ids) for spec in specs]
    if not all(map(math.isfinite, losses)):
        raise ExportError("the model gives values that are not finite; check the checkpoint")
    chosen = specs[losses[1] < losses[0]]
    certain = "" if abs(losses[0] - losses[1]) > _CLEAR_NATS else "; the difference is small"
    options.notice(
        f"tensors fit eras E2 and E3: soft-cap {chosen.era.softcap:g} taken for its lower "
        f"perplexity ({math.exp(min(losses)):.4g} against {math.exp(max(losses)):.4g}){certain}; "
        "--softcap decides otherwise"
    )
    return replace(checkpoint, spec=chosen, alternative=None)


def _loss(model: NanochatReference, ids: list[int]) -> float:
    """Mean surprise of ids[1:] in nats."""
    logits = model(input_ids=torch.tensor([ids])).logits[0]
    return float(torch.nn.functional.cross_entropy(logits[:-1], torch.tensor(ids[1:])))
