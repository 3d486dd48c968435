"""Mistral: Llama with a sliding window in every layer."""

from quire_export.families.base import Family, integer
from quire_export.families.common import ROPE_KEYS, SIZE_KEYS, SLIDING, llama_like, window_of
from quire_export.families.common import windowed_layers
from quire_export.spec import DecoderSpec


def _spec(config: dict[str, object]) -> DecoderSpec:
    window = window_of(config)
    layers = max(integer(config, "num_hidden_layers"), 0)
    windows = windowed_layers([SLIDING] * layers, window) if window > 0 else ()
    return llama_like(config, "mistral", layers=windows)


MISTRAL = Family(
    model_type="mistral",
    architectures=("MistralForCausalLM",),
    used_config=SIZE_KEYS | ROPE_KEYS | {"sliding_window"},
    fixed_config={"use_sliding_window": (False, True)},
    build_spec=_spec,
)
