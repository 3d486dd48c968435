"""Reads a Hugging Face folder: config.json, safetensors or pytorch_model.bin, tokenizer files."""

from collections.abc import Iterator
from pathlib import Path

import torch
from transformers import PreTrainedModel

from quire_export.errors import EXIT_OTHER, ExportError
from quire_export.families import family_of_config
from quire_export.operators import Tensors
from quire_export.progress import Progress
from quire_export.files import read_json, sha256_of
from quire_export.source import (
    Source,
    check_tensors,
    check_values,
    eos_list,
)
from quire_export.spec import DecoderSpec
from quire_export.tokenizer_files import copy_tokenizer


def _check_kind(folder: Path) -> None:
    """Refuses folders of other kinds of models, with how to use those."""
    if (folder / "config.json").is_file():
        return
    names = sorted(path.name for path in folder.glob("*.gguf"))
    if names:
        shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        raise ExportError(
            f"{folder} has no config.json, but GGUF files: {shown}; give one of them by its path"
        )


def _with_prefix(found: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors as a model with a head has them: AutoModel saves the decoder's without "model."."""
    if "embed_tokens.weight" not in found or any(name.startswith("model.") for name in found):
        return found
    return {
        name if name.startswith("lm_head.") else f"model.{name}": tensor
        for name, tensor in found.items()
    }


def load_folder(folder: Path, progress: Progress) -> Source:
    """The model of a Hugging Face folder, weights as float32 or as stored."""
    _check_kind(folder)
    config = read_json(folder / "config.json", 8 << 20)
    family = family_of_config(config)
    family.check_config(config)
    spec = family.build_spec(config)
    files = _weight_files(folder)
    found = dict(progress.each(_tensors(files), "reading tensors", len(spec.tensor_shapes())))
    found = {name: tensor for name, tensor in found.items() if not family.derived.fullmatch(name)}
    found = family.canonical(_with_prefix(found), spec)
    derived: set[str] = set()
    if spec.tie_word_embeddings:
        _tie(found)
        derived.add("lm_head.weight")
    check_tensors(spec, {name: tuple(t.shape) for name, t in found.items()}, derived)
    tensors: Tensors = {
        name: check_values(name, found[name].float()) for name in spec.tensor_shapes()
    }
    info = {
        "kind": "huggingface",
        "file": folder.name,
        "sha256": _fingerprint(folder, files),
        "license": _license(folder),
    }
    return Source(
        name=folder.name,
        spec=spec,
        tensors=tensors,
        reference=lambda used: _reference(folder, used),
        write_tokenizer=lambda target: copy_tokenizer(folder, target),
        info=info,
        special_ids=_special_ids(folder, config, spec.vocab_size),
        eos_sources=_eos_sources(folder, config),
        restore=lambda matrices: family.restore(matrices, spec),
    )


def _weight_files(folder: Path) -> list[Path]:
    """The files that hold the weights, safetensors before pickles, whole before sharded."""
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            return [folder / name]
        index = folder / f"{name}.index.json"
        if index.is_file():
            shards = read_json(index).get("weight_map")
            if not isinstance(shards, dict) or not shards:
                raise ExportError(f"{index.name} has no weight_map; download the model again")
            names = sorted({str(shard) for shard in shards.values()})
            if any(Path(shard).name != shard for shard in names):
                raise ExportError(
                    f"{index.name} names a file outside its folder, do not trust it; download the "
                    "model from its owner"
                )
            return [folder / shard for shard in names]
    raise ExportError(
        f"{folder} has neither model.safetensors nor pytorch_model.bin; "
        "give a complete model folder or a GGUF file"
    )


def _tensors(files: list[Path]) -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor of the files by name; pickles are read with weights_only, so run no code."""
    from safetensors import SafetensorError, safe_open

    seen: set[str] = set()
    for path in files:
        try:
            if path.suffix == ".safetensors":
                with safe_open(path, framework="pt") as handle:
                    loaded = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
            else:
                loaded = torch.load(path, weights_only=True, map_location="cpu")
        except (OSError, SafetensorError, RuntimeError, ValueError, EOFError, KeyError) as error:
            raise _unreadable(path, error) from error
        except Exception as error:  # the unpickler of a hostile file may raise anything
            raise _unreadable(path, error) from error
        if not isinstance(loaded, dict):
            raise ExportError(f"{path.name} holds no dictionary of tensors; check the file")
        for name, tensor in loaded.items():
            if not isinstance(name, str) or not isinstance(tensor, torch.Tensor) or name in seen:
                raise ExportError(
                    f"{path.name}: entry {name!r} is no tensor or appears twice; check the file"
                )
            seen.add(name)
            yield name, tensor


def _unreadable(path: Path, error: Exception) -> ExportError:
    cause = (str(error).splitlines() or [type(error).__name__])[0]
    return ExportError(f"cannot read {path.name}: {cause}; download the model again")


def _tie(found: dict[str, torch.Tensor]) -> None:
    """Head and table are one matrix, which may be stored under either name, or both."""
    head = found.get("lm_head.weight")
    if head is None:
        return
    table = found.setdefault("model.embed_tokens.weight", head)
    if not torch.equal(head, table):
        raise ExportError(
            "tie_word_embeddings is true but lm_head.weight differs from the "
            "embedding; set it to false in config.json if the head is its own"
        )


def _fingerprint(folder: Path, files: list[Path]) -> str:
    """SHA-256 over the `sha256sum` listing of config.json and the weight files."""
    import hashlib

    listing = "".join(
        f"{sha256_of(path)}  {path.name}\n" for path in (folder / "config.json", *files)
    )
    return hashlib.sha256(listing.encode()).hexdigest()


def _license(folder: Path) -> str | None:
    """The licence named in the front matter of the model card, if there is one."""
    card = folder / "README.md"
    if not card.is_file():
        return None
    with card.open(encoding="utf-8", errors="replace") as handle:
        lines = handle.read(1 << 16).splitlines()
    if not lines or lines[0].strip() != "---":
        return None
    for line in lines[1:]:
        if line.strip() == "---":
            break
        if line.startswith("license:"):
            return line.split(":", 1)[1].strip().strip("'\"") or None
    return None


def _generation_config(folder: Path) -> dict[str, object]:
    """generation_config.json without its nulls; empty when there is none."""
    path = folder / "generation_config.json"
    found = read_json(path) if path.is_file() else {}
    return {key: value for key, value in found.items() if value is not None}


def _eos_sources(folder: Path, config: dict[str, object]) -> dict[int, str]:
    """The file that each of _special_ids' end ids comes from."""
    key, generation = "eos_token_id", _generation_config(folder)
    if key in generation:
        return {i: f"{key} of generation_config.json" for i in eos_list(generation[key])}
    return {i: f"{key} of config.json" for i in eos_list(config.get(key))}


def _special_ids(folder: Path, config: dict[str, object], vocab_size: int) -> dict[str, object]:
    """bos, eos (a list), pad, unk: generation_config.json first, then config.json."""
    merged = config | _generation_config(folder)

    def one(key: str) -> int | None:
        ids = eos_list(merged.get(key))
        return ids[0] if ids and ids[0] >= 0 else None

    ids = {
        "bos": one("bos_token_id"),
        "eos": eos_list(merged.get("eos_token_id")),
        "pad": one("pad_token_id"),
        "unk": one("unk_token_id"),
    }
    for name, value in ids.items():
        if any(not 0 <= i < vocab_size for i in eos_list(value)):
            raise ExportError(
                f"config: the {name} token id {value} is outside the vocabulary "
                f"of {vocab_size}; check the file"
            )
    return ids


def _reference(folder: Path, spec: DecoderSpec) -> PreTrainedModel:
    """The same folder through transformers, in float32.

    transformers chooses longrope's factors anew for every length; a package has one set of them.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if any(rope.long_factors is not None for rope in spec.ropes):
            config.rope_parameters["short_factor"] = spec.ropes[0].factors.tolist()
            config.rope_parameters["long_factor"] = spec.ropes[0].factors.tolist()
        return AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            local_files_only=True,
            weights_only=True,
            trust_remote_code=False,
        ).eval()
    except Exception as error:  # third-party loaders raise anything
        cause = (str(error).splitlines() or [type(error).__name__])[0]
        raise ExportError(
            f"transformers cannot load {folder}: {cause}; check config.json and the files beside "
            "it, or download the model again",
            EXIT_OTHER,
        ) from error
