"""The operators quire::... of TorchScript: their schemas, and what they compute, for checking.

The engine computes them with its kernels (src/runner/torch/torch_ops.cc, which repeats the
schemas); here they are the NumPy oracle that checks ONNX graphs too.
"""

from contextvars import ContextVar

import numpy as np
import torch

from quire_export import reference_ops

ARITHMETIC: ContextVar[str] = ContextVar("arithmetic", default="exact")
SCHEMAS = (
    "linear(Tensor x, Tensor weight, Tensor? scale, Tensor? min, Tensor? bias, int k, "
    "int activation_bits) -> Tensor",
    "embedding(Tensor ids, Tensor weight, Tensor? scale, Tensor? min, int k) -> Tensor",
    "rms_norm(Tensor x, Tensor weight, float epsilon) -> Tensor",
    "layer_norm(Tensor x, Tensor weight, Tensor? bias, float epsilon) -> Tensor",
    "activation(Tensor x, str kind) -> Tensor",
    "gated_activation(Tensor x, str kind) -> Tensor",
    "soft_cap(Tensor x, float cap) -> Tensor",
    "paged_attention(Tensor query, Tensor? key, Tensor? value, Tensor(a!) key_cache, "
    "Tensor(b!) value_cache, Tensor cumulative_sequence_lengths, Tensor past_sequence_lengths, "
    "Tensor block_table, Tensor? cos, Tensor? sin, Tensor? head_sink, int num_heads, "
    "int kv_num_heads, float scale, float softcap, int local_window_size, bool do_rotary, "
    "bool rotary_interleaved) -> Tensor",
)
_SETTINGS = (
    "num_heads",
    "kv_num_heads",
    "scale",
    "softcap",
    "local_window_size",
    "do_rotary",
    "rotary_interleaved",
)
_BITS = {torch.uint8: 4, torch.int8: 8, torch.float32: 32}


def _array(tensor: torch.Tensor | None) -> np.ndarray | None:
    """The memory of a tensor; bfloat16, which NumPy lacks, as float32."""
    if tensor is None:
        return None
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _run(operator: type, inputs: tuple[torch.Tensor | None, ...], **attributes: object) -> object:
    """What an operator of reference_ops gives; it keeps no state worth an instance."""
    instance = operator.__new__(operator)
    arrays = [_array(tensor) for tensor in inputs]
    return torch.from_numpy(np.ascontiguousarray(instance._run(*arrays, **attributes)[0]))


def _linear(
    x: torch.Tensor, weight: torch.Tensor, *more: torch.Tensor | None | int
) -> torch.Tensor:
    scale, minimum, bias, columns, activation_bits = more
    exact = ARITHMETIC.get() == "exact"
    return _run(
        reference_ops.Linear if exact else reference_ops.CanonicalLinear,
        (x, weight, scale, minimum, bias),
        bits=_BITS.get(weight.dtype, 16),
        K=columns,
        activation_bits=activation_bits,
    )


def _embedding(
    ids: torch.Tensor, weight: torch.Tensor, *more: torch.Tensor | None | int
) -> torch.Tensor:
    scale, minimum, columns = more
    bits = _BITS.get(weight.dtype, 16)
    inputs = (ids, weight, scale, minimum)
    return _run(reference_ops.Embedding, inputs, bits=bits, K=columns)


def _paged_attention(*arguments: object) -> torch.Tensor:
    settings = dict(zip(_SETTINGS, arguments[11:], strict=True))
    return _run(reference_ops.PagedAttention, arguments[:11], **settings)


_IMPLEMENTATIONS = {
    "linear": _linear,
    "embedding": _embedding,
    "rms_norm": lambda x, weight, epsilon: _run(
        reference_ops.RMSNorm, (x, weight), epsilon=epsilon
    ),
    "layer_norm": lambda x, weight, bias, epsilon: _run(
        reference_ops.LayerNorm, (x, weight, bias), epsilon=epsilon
    ),
    "activation": lambda x, kind: _run(reference_ops.Activation, (x,), kind=kind),
    "gated_activation": lambda x, kind: _run(reference_ops.GatedActivation, (x,), kind=kind),
    "soft_cap": lambda x, cap: _run(reference_ops.SoftCap, (x,), cap=cap),
    "paged_attention": _paged_attention,
}


def _register() -> torch.library.Library:
    library = torch.library.Library("quire", "DEF")
    for schema in SCHEMAS:
        library.define(schema)
    for name, function in _IMPLEMENTATIONS.items():
        library.impl(name, function, "CPU")
    return library


# The registration lives as long as this object.
LIBRARY = _register()
