"""What the caller may choose, checked before any file is read."""

from collections.abc import Callable
from dataclasses import dataclass, field

from quire_export.errors import UsageError

DTYPES = ("fp32", "fp16", "bf16")
QUANTIZATIONS = ("keep", "none", "int8", "int4")
FORMATS = ("onnx", "torchscript", "both")
CACHES = ("paged", "explicit", "none")
ACTIVATION_BITS = (8, 16)
ROUNDINGS = ("search", "nearest")
NANOCHAT_SOURCES = ("base", "mid", "sft", "rl")
# Below 18 torch's exporter emits through a converter; above 23 this exporter is untested.
MIN_OPSET, MAX_OPSET = 18, 23


@dataclass(frozen=True)
class ExportOptions:
    """Settings of one export. `quantize` None means: keep for a GGUF file, none otherwise.

    `activation_bits` is how finely the engine quantizes what meets 4- and 8-bit weights.
    `rounding` is how int4 chooses a block's scale and minimum. `wide` are patterns of tensor names
    that int4 stores in 8 bits (None: store.WIDE). `force_quality` lets a package pass that lost
    more than quality.MAX_RISE.
    """

    format: str = "onnx"
    cache: str = "paged"
    dtype: str = "fp32"
    quantize: str | None = None
    activation_bits: int = 16
    rounding: str = "search"
    wide: tuple[str, ...] | None = None
    force_quality: bool = False
    opset: int = 20
    max_seq_len: int | None = None
    source: str | None = None
    model_tag: str | None = None
    step: int | None = None
    softcap: float | None = None
    force: bool = False
    progress: bool = True
    notice: Callable[[str], None] = field(default=lambda _line: None)

    def __post_init__(self) -> None:
        _choice("--format", self.format, FORMATS)
        _choice("--cache", self.cache, CACHES)
        _choice("--dtype", self.dtype, DTYPES)
        if self.quantize is not None:
            _choice("--quantize", self.quantize, QUANTIZATIONS)
        _choice("--rounding", self.rounding, ROUNDINGS)
        if self.activation_bits not in ACTIVATION_BITS:
            raise UsageError(f"--activation-bits {self.activation_bits} is unknown; choose 8 or 16")
        if self.source is not None:
            _choice("--source", self.source, NANOCHAT_SOURCES)
        if self.step is not None and self.step < 0:
            raise UsageError(f"--step {self.step} is negative; give the step of a checkpoint")
        if not MIN_OPSET <= self.opset <= MAX_OPSET:
            raise UsageError(
                f"--opset {self.opset} is out of range; choose {MIN_OPSET} to {MAX_OPSET}"
            )
        if self.max_seq_len is not None and self.max_seq_len < 1:
            raise UsageError(
                f"--max-seq-len {self.max_seq_len} is not positive; give a number of tokens"
            )

    def nanochat_flags(self) -> dict[str, object]:
        """The options that only a nanochat directory understands, by their flags."""
        return {
            "--source": self.source,
            "--model-tag": self.model_tag,
            "--step": self.step,
            "--softcap": self.softcap,
        }


def _choice(flag: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(f"{flag} {value} is unknown; choose one of {', '.join(choices)}")
