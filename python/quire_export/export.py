"""One export from beginning to end: read, store, write, compare with the source, describe."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from transformers.utils import logging as transformers_logging

from quire_export import version
from quire_export.destination import check_destination
from quire_export.ends import end_ids
from quire_export.errors import EXIT_OTHER, ExportError, UsageError
from quire_export.files import read_json
from quire_export.golden import (
    PackageTokenizer,
    answer,
    prompt_entry,
    prompt_ids,
    source_description,
)
from quire_export.onnx_writer import GRAPH_FILE, build_graph, write_model
from quire_export.operators import CausalModel, Matrix, Tensors
from quire_export.options import ExportOptions
from quire_export.package import file_entries, staged_folder, write_json
from quire_export.progress import Progress
from quire_export.quality import Quality, check_quality, compare, predictions, windows_of
from quire_export.source import Encode, Reference, Source
from quire_export.store import WIDE, Storage, crop, store_all
from quire_export.torchscript import SCRIPT_FILE, write_script
from quire_export.verify import Difference, Written, check_graph, difference, measure_tolerance
from quire_export.weights import StoredMatrix

_BACKENDS = {GRAPH_FILE: "onnx", SCRIPT_FILE: "torchscript"}


@dataclass(frozen=True)
class ExportReport:
    """What an export found out.

    `loss` and `quality` compare with the unquantized source where the storage is lossy, `quality`
    on prose and only with a tokenizer.
    """

    package: Path
    name: str
    num_bytes: int
    graph_difference: Difference
    tolerance: dict[str, float]
    loss: Difference | None
    quality: Quality | None = None


def export_model(
    source: str | Path, destination: str | Path, options: ExportOptions | None = None
) -> ExportReport:
    """Exports `source` (folder, GGUF file or hub id) to the package folder `destination`.

    Raises ExportError (UsageError for wrong arguments); the destination is then as it was before.
    """
    options = options or ExportOptions()
    destination = Path(destination)
    check_destination(destination, Path(source), options.force)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        with Progress(options.progress) as progress:
            return _export(source, destination, options, progress)
    except MemoryError as error:
        raise ExportError(
            f"out of memory: {error}; use a machine with more memory", EXIT_OTHER
        ) from error


def _export(
    source: str | Path, destination: Path, options: ExportOptions, progress: Progress
) -> ExportReport:
    progress.step("reading the source")
    loaded = _load(source, options, progress)
    loaded = crop(loaded, options.max_seq_len, options.notice)
    storage = Storage(
        quantize=options.quantize if options.quantize in ("int8", "int4") else "none",
        dtype=options.dtype,
        rounding=options.rounding,
        wide=WIDE if options.wide is None else options.wide,
    )
    tensors = store_all(loaded, storage, progress)
    num_bytes = sum(_num_bytes(tensor) for tensor in tensors.values())
    with staged_folder(destination, Path(source), options.force, num_bytes) as folder:
        progress.step("writing the graph")
        decoder = loaded.build(loaded.spec, tensors)
        schemes = _schemes(decoder)
        graphs = _write_graphs(decoder, options, folder)
        encode = loaded.write_tokenizer(folder)
        lossy = storage.quantize != "none" or options.dtype != "fp32" or not loaded.exact
        staged = _Staged(folder, graphs, loaded, tensors, lossy, encode)
        checked = _check(staged, options, progress)
        _write_info(staged, schemes, options, checked)
        size = sum(path.stat().st_size for path in folder.iterdir())
    return ExportReport(
        destination,
        loaded.name,
        size,
        checked.graph,
        checked.tolerance,
        checked.loss,
        checked.quality,
    )


def _write_graphs(model: CausalModel, options: ExportOptions, folder: Path) -> list[Written]:
    """Writes the graph files that --format asks for. The model is spent: see build_graph."""
    files = []
    if options.format in ("torchscript", "both"):
        write_script(model, options.cache, options.activation_bits, folder)
        files.append(SCRIPT_FILE)
    if options.format in ("onnx", "both"):
        graph = build_graph(model, options.cache, options.opset, options.activation_bits)
        write_model(graph, folder)
        files.insert(0, GRAPH_FILE)
    return [Written(folder / name, options.cache, model.cache_layers) for name in files]


def _load(source: str | Path, options: ExportOptions, progress: Progress) -> Source:
    from quire_export.gguf_source import load_gguf
    from quire_export.hf_source import load_folder
    from quire_export.hub import fetch_folder
    from quire_export.nanochat.checkpoint import is_nanochat
    from quire_export.nanochat.source import load_nanochat

    path = Path(source)
    if path.is_dir() and is_nanochat(path):
        return load_nanochat(path, options, progress)
    for flag, value in options.nanochat_flags().items():
        if value is not None:
            raise UsageError(
                f"{flag} is for nanochat directories, and {source} is none (it has no folder "
                "such as base_checkpoints); leave the option out or check the path"
            )
    if path.is_dir():
        return load_folder(path, progress)
    if path.is_file():
        return load_gguf(path, options.quantize in (None, "keep"), progress)
    return load_folder(fetch_folder(str(source), options.notice), progress)


def _num_bytes(tensor: StoredMatrix | torch.Tensor) -> int:
    if isinstance(tensor, torch.Tensor):
        return tensor.nbytes
    parts = (tensor.weight, tensor.scale, tensor.minimum)
    return sum(part.nbytes for part in parts if part is not None)


@dataclass(frozen=True)
class _Staged:
    """A package folder under way: what it was made from and what it stores."""

    folder: Path
    graphs: list[Written]
    source: Source
    tensors: Tensors
    lossy: bool
    encode: Encode | None

    @property
    def quantized(self) -> bool:
        """Whether any matrix is stored in 4 or 8 bits."""
        return any(
            isinstance(t, StoredMatrix) and t.scale is not None for t in self.tensors.values()
        )


@dataclass(frozen=True)
class _Checked:
    """Results of comparing a staged package with its source."""

    graph: Difference
    tolerance: dict[str, float]
    loss: Difference | None
    quality: Quality | None
    special_ids: dict[str, object]
    ends: dict[int, str]
    control_ids: list[int]


def _check(staged: _Staged, options: ExportOptions, progress: Progress) -> _Checked:
    """Writes golden.json from the source model and proves the graph against it."""
    folder, source = staged.folder, staged.source
    tokenizer = None
    if (folder / "tokenizer.json").is_file():
        tokenizer = PackageTokenizer(folder, source.spec.vocab_size, staged.encode)
    else:
        options.notice(f"{source.name} has no tokenizer files; the package takes token ids only")
    special_ids = _complete_special_ids(folder, source.special_ids, tokenizer)
    ends = end_ids(_known_ends(source), folder, tokenizer, source.spec.vocab_size)
    special_ids["eos"] = list(ends)
    chats = tokenizer.chats() if tokenizer else []
    prompts = prompt_ids(source, tokenizer, special_ids["bos"], chats)
    progress.step("loading the source model")
    model = source.reference(source.spec)
    loss = quality = None
    if staged.lossy:
        windows = windows_of(tokenizer, special_ids["bos"], source.spec.max_seq_len)
        loss, quality = _use_stored(model, staged, prompts, windows)
        if quality is not None:
            check_quality(quality, source.spec.vocab_size, options.force_quality)
    progress.step("asking the source model")
    answers = answer(model, prompts, source.spec, special_ids["eos"], progress)
    del model
    progress.step("comparing the graph with it")
    found = max((check_graph(g, answers) for g in staged.graphs), key=lambda d: d.max_abs)
    progress.step("measuring the tolerance")
    tolerance = measure_tolerance(staged.graphs[0], answers, staged.quantized)
    write_json(
        folder / "golden.json",
        {
            "format_version": 1,
            "source": source_description(source),
            "tolerance": tolerance,
            "prompts": [prompt_entry(a) for a in answers],
            "tokenizer": tokenizer.goldens() if tokenizer else [],
            "chat": chats,
        },
    )
    found_ids = tokenizer.control_ids if tokenizer else []
    control = [i for i in found_ids if i < source.spec.vocab_size]
    return _Checked(found, tolerance, loss, quality, special_ids, ends, control)


def _complete_special_ids(
    folder: Path, ids: dict[str, object], tokenizer: PackageTokenizer | None
) -> dict[str, object]:
    """Fills ids the configuration leaves open from tokenizer_config.json's token texts."""
    path = folder / "tokenizer_config.json"
    full = dict(ids)
    if tokenizer is None or not path.is_file():
        return full
    config = read_json(path)
    for name in ("bos", "pad", "unk"):
        token = config.get(f"{name}_token")
        text = token.get("content") if isinstance(token, dict) else token
        found = tokenizer.id_of(text) if isinstance(text, str) else None
        if found is not None and full[name] is None:
            full[name] = found
    return full


def _known_ends(source: Source) -> dict[int, str]:
    """The end ids of the source's configuration, and where each comes from."""
    unnamed = f"{source.info['kind']} source"
    return {i: source.eos_sources.get(i, unnamed) for i in source.special_ids["eos"]}


@torch.inference_mode()
def _use_stored(
    model: Reference,
    staged: "_Staged",
    prompts: list[tuple[str, list[int]]],
    windows: list[list[int]],
) -> tuple[Difference, Quality | None]:
    """Puts the stored weights into `model`; returns what that costs on prompts and prose."""

    def run() -> list[np.ndarray]:
        return [model(input_ids=torch.tensor([ids])).logits[0].numpy() for _, ids in prompts]

    before, predicted = run(), predictions(model, windows)
    parameters = dict(model.named_parameters())
    matrices = {
        name: tensor.dequantize()
        for name, tensor in staged.tensors.items()
        if isinstance(tensor, StoredMatrix)
    }
    for name, values in staged.source.restore(matrices).items():
        parameters[name].copy_(values)
    return difference(run(), before), compare(predicted, predictions(model, windows))


def _write_info(
    staged: _Staged, schemes: dict[str, str], options: ExportOptions, checked: _Checked
) -> None:
    """Writes model_info.json, the last file, since it names all others."""
    spec, source = staged.source.spec, staged.source
    write_json(
        staged.folder / "model_info.json",
        {
            "format": "quire-model-package",
            "format_version": 1,
            "min_runtime_version": version.MIN_RUNTIME_VERSION,
            "created_by": f"quire-export {version.__version__}",
            "name": source.name,
            "architecture": spec.architecture,
            "source": source.info,
            "graph": options.cache,
            "backends": [_BACKENDS[graph.path.name] for graph in staged.graphs],
            "num_layers": spec.num_layers,
            "hidden_size": spec.hidden_size,
            "intermediate_size": spec.intermediate_size,
            "num_heads": spec.num_heads,
            "num_kv_heads": spec.num_kv_heads,
            "head_dim": spec.head_dim,
            "vocab_size": spec.vocab_size,
            "max_seq_len": spec.max_seq_len,
            "dtype": options.dtype,
            "quantization": _describe_quantization(schemes)
            | ({"activation_bits": options.activation_bits} if staged.quantized else {}),
            "cache_layers": [{"num_kv_heads": spec.num_kv_heads, "head_dim": spec.head_dim}],
            "special_ids": checked.special_ids,
            "eos_sources": {str(i): reason for i, reason in checked.ends.items()},
            "control_token_ids": checked.control_ids,
            "tool_markers": source.tool_markers,
            "files": file_entries(staged.folder),
        },
        indent=2,
    )


def _schemes(decoder: nn.Module) -> dict[str, str]:
    """How each matrix of the graph is stored, by initializer."""
    return {
        f"{name}.weight": module.scheme
        for name, module in decoder.named_modules()
        if isinstance(module, Matrix)
    }


def _describe_quantization(schemes: dict[str, str]) -> dict[str, object]:
    """The commonest scheme of the graph's matrices, and those that differ, by initializer."""
    default = Counter(schemes.values()).most_common(1)[0][0]
    return {"default": default, "tensors": {name: s for name, s in schemes.items() if s != default}}
