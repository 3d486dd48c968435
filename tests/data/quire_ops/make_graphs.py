"""Writes the graphs of tests/unit/runner_onnx/quire_ops_test.cc and what they must answer.

One decoder layer that uses every operator of domain "quire" and every weight format, its answer by
a plain numpy model in double precision, and graphs with one thing wrong each. Run it from its own
folder; the seed is fixed, so the files do not change unless this script does.
"""

import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

VOCAB, HIDDEN, HEADS, KV_HEADS, DIM, INNER = 50, 40, 4, 2, 12, 24
BLOCK, BLOCK_BYTES, POSITIONS, EPSILON = 32, 2 * 16 * 16 * 4, 64, 1e-5
rng = np.random.default_rng(7)


def quantized(n, k, bits, with_min):
    """Random storage as docs/model_package.md has it, and its values."""
    blocks = -(-k // BLOCK)
    scale = rng.uniform(0.01, 0.03, (n, blocks)).astype(np.float16)
    minimum = rng.uniform(-0.2, 0.0, (n, blocks)).astype(np.float16)
    low, high = (0, 16) if bits == 4 else (-60, 60)
    q = rng.integers(low, high, (n, blocks, BLOCK))
    if bits == 8:
        scale = (scale / 8).astype(np.float16)
        weight = q.astype(np.int8)
    else:
        weight = (q[..., :16] | (q[..., 16:] << 4)).astype(np.uint8)
    offset = 8 if bits == 4 and not with_min else 0
    values = (q - offset) * scale.astype(np.float64)[..., None]
    if with_min:
        values = values + minimum.astype(np.float64)[..., None]
    tensors = [weight, scale] + ([minimum] if with_min else [])
    return tensors, q - offset, scale, minimum if with_min else None, values.reshape(n, -1)[:, :k]


class Weights:
    """One weight matrix: its initializers, and the documented product with activations."""

    def __init__(self, name, n, k, bits, with_min=False, dtype=None, bias=False, wide=False):
        self.name, self.n, self.k, self.bits, self.quant = name, n, k, bits, None
        self.wide = wide  # 16-bit activations
        self.bias = rng.normal(size=n).astype(np.float32) if bias else None
        if bits <= 8:
            tensors, q, scale, minimum, self.values = quantized(n, k, bits, with_min)
            self.quant = (q, scale, minimum)
            parts = zip(("", ".scale", ".min"), tensors)
            self.initializers = [numpy_helper.from_array(t, name + s) for s, t in parts]
        else:
            plain = (rng.normal(size=(n, k)) * 0.3).astype(np.float32)
            if dtype == "bfloat16":
                bits16 = (plain.view(np.uint32) >> 16).astype(np.uint16)
                plain = (bits16.astype(np.uint32) << 16).view(np.float32)
                raw = bits16.tobytes()
                tensor = helper.make_tensor(name, TensorProto.BFLOAT16, (n, k), raw, raw=True)
            else:
                stored = plain.astype(np.float16 if bits == 16 else np.float32)
                plain = stored.astype(np.float32)
                tensor = numpy_helper.from_array(stored, name)
            self.values = plain.astype(np.float64)
            self.initializers = [tensor]
        if bias:
            self.initializers.append(numpy_helper.from_array(self.bias, name + ".bias"))

    def inputs(self, slots):
        names = [t.name for t in self.initializers]
        found = [n if n in names else "" for n in
                 (self.name, self.name + ".scale", self.name + ".min", self.name + ".bias")]
        found = found[:slots]
        while found and not found[-1]:
            found.pop()
        return found

    def attributes(self):
        return {"K": self.k, "N": self.n, "bits": self.bits, "block_size": BLOCK}

    def linear_attributes(self):
        return self.attributes() | ({"activation_bits": 16} if self.wide else {})

    def product(self, x):
        y = np.zeros((len(x), self.n))
        if self.quant is None:
            y = x @ self.values.T
        else:
            q, scale, minimum = self.quant
            most = np.float32(32639 if self.wide else 127)
            for b in range(q.shape[1]):
                part = np.zeros((len(x), BLOCK), np.float32)
                rest = x[:, b * BLOCK:(b + 1) * BLOCK]
                part[:, :rest.shape[1]] = rest
                sx = np.abs(part).max(axis=1, keepdims=True) / most
                xq = np.where(sx > 0, np.round(part / np.where(sx > 0, sx, 1)), 0)
                xq = np.clip(xq, -most, most).astype(np.float64)
                y += (xq @ q[:, b].T) * scale[:, b].astype(np.float64) * sx
                if minimum is not None:
                    y += xq.sum(axis=1, keepdims=True) * sx * minimum[:, b].astype(np.float64)
        return y if self.bias is None else y + self.bias


EMBED = Weights("embed", VOCAB, HIDDEN, 8, wide=True)
QKV = Weights("qkv", (HEADS + 2 * KV_HEADS) * DIM, HIDDEN, 4, with_min=True, bias=True, wide=True)
OUT = Weights("out", HIDDEN, HEADS * DIM, 16)
GATE_UP = Weights("gate_up", 2 * INNER, HIDDEN, 4)
DOWN = Weights("down", HIDDEN, INNER, 16, dtype="bfloat16")
LAST = Weights("last", HIDDEN, HIDDEN, 32, bias=True)
NORM = rng.uniform(0.5, 1.5, HIDDEN).astype(np.float32)
ANGLES = np.outer(np.arange(POSITIONS), 0.5 ** np.arange(DIM // 2))
COS, SIN = np.cos(ANGLES).astype(np.float32), np.sin(ANGLES).astype(np.float32)


def norm(x):
    return x / np.sqrt((x * x).mean(axis=1, keepdims=True) + EPSILON) * NORM


def rotate(x):
    """x: [tokens, heads, DIM]"""
    a, b = x[..., :DIM // 2], x[..., DIM // 2:]
    cos, sin = COS[:len(x), None], SIN[:len(x), None]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


def attention(qkv):
    tokens = len(qkv)
    heads = qkv.reshape(tokens, -1, DIM)
    q, k, v = rotate(heads[:, :HEADS]), rotate(heads[:, HEADS:-KV_HEADS]), heads[:, -KV_HEADS:]
    out = np.zeros((tokens, HEADS, DIM))
    for h in range(HEADS):
        kv = h // (HEADS // KV_HEADS)
        scores = q[:, h] @ k[:, kv].T / np.sqrt(DIM)
        scores[np.triu_indices(tokens, 1)] = -np.inf
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        out[:, h] = weights / weights.sum(axis=1, keepdims=True) @ v[:, kv]
    return out.reshape(tokens, -1)


def model(ids):
    x = EMBED.values[ids]
    x = x + OUT.product(attention(QKV.product(norm(x).astype(np.float32))))
    both = GATE_UP.product(norm(x).astype(np.float32))
    gate, up = both[:, :INNER], both[:, INNER:]
    x = x + DOWN.product(gate / (1 + np.exp(-gate)) * up)
    return EMBED.product(LAST.product(norm(x)).astype(np.float32))


def quire(op, inputs, output, **attributes):
    return helper.make_node(op, inputs, [output], domain="quire", **attributes)


def linear(weights, x, y):
    return quire("Linear", [x] + weights.inputs(4), y, **weights.linear_attributes())


def decoder():
    attention_inputs = ["qkv_out", "", "", "key_cache.0", "value_cache.0",
                        "cumulative_sequence_lengths", "past_sequence_lengths", "block_table",
                        "cos", "sin"]
    nodes = [
        quire("Embedding", ["input_ids"] + EMBED.inputs(3), "x0", **EMBED.attributes()),
        quire("RMSNorm", ["x0", "norm"], "n0", epsilon=EPSILON),
        linear(QKV, "n0", "qkv_out"),
        quire("PagedAttention", attention_inputs, "attended", num_heads=HEADS,
              kv_num_heads=KV_HEADS, scale=0.0, softcap=0.0, local_window_size=-1, do_rotary=1,
              rotary_interleaved=0),
        linear(OUT, "attended", "o"),
        helper.make_node("Add", ["x0", "o"], ["x1"]),
        quire("RMSNorm", ["x1", "norm"], "n1", epsilon=EPSILON),
        linear(GATE_UP, "n1", "gate_up_out"),
        quire("SwiGLU", ["gate_up_out"], "inner"),
        linear(DOWN, "inner", "d"),
        helper.make_node("Add", ["x1", "d"], ["x2"]),
        helper.make_node("Gather", ["x2", "logits_indices"], ["x3"], axis=0),
        quire("RMSNorm", ["x3", "norm"], "n3", epsilon=EPSILON),
        linear(LAST, "n3", "last_out"),
        linear(EMBED, "last_out", "logits"),  # tied: the same initializers as the Embedding
    ]
    constants = [numpy_helper.from_array(t, n)
                 for n, t in (("norm", NORM), ("cos", COS), ("sin", SIN))]
    for weights in (EMBED, QKV, OUT, GATE_UP, DOWN, LAST):
        constants += weights.initializers
    info = helper.make_tensor_value_info
    inputs = [
        info("input_ids", TensorProto.INT64, ["T"]),
        info("cumulative_sequence_lengths", TensorProto.INT32, ["B1"]),
        info("past_sequence_lengths", TensorProto.INT32, ["B"]),
        info("block_table", TensorProto.INT32, ["B", "max_blocks"]),
        info("logits_indices", TensorProto.INT64, ["L"]),
        info("key_cache.0", TensorProto.UINT8, ["num_blocks", "block_bytes"]),
        info("value_cache.0", TensorProto.UINT8, ["num_blocks", "block_bytes"]),
    ]
    return nodes, inputs, constants


def save(name, nodes, inputs, constants, output="logits"):
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "quire_ops", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("quire", 1)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    onnx.save(made, name + ".onnx")


def save_bad(name, change, weights=None, as_input=False):
    """A graph of one Linear node with something wrong in it."""
    weights = weights or GATE_UP
    attributes, constants = weights.attributes(), list(weights.initializers)
    change(attributes, constants)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["T", HIDDEN])]
    if as_input:
        inputs.append(helper.make_tensor_value_info(weights.name, TensorProto.UINT8, None))
    save("bad_" + name, [quire("Linear", ["x"] + weights.inputs(4), "y", **attributes)],
         inputs, constants, "y")


def replace(constants, index, array):
    constants[index] = numpy_helper.from_array(array, constants[index].name)


ROWS, WIDE, GROUP, CAP = 5, 42, 14, 3.0


def rows_graph():
    """One node after another of the row-wise operators that the decoder does not use."""
    weights = {"group": rng.uniform(0.5, 1.5, GROUP), "weight": rng.uniform(0.5, 1.5, WIDE),
               "bias": rng.normal(size=WIDE)}
    weights = {name: value.astype(np.float32) for name, value in weights.items()}
    x = (rng.normal(size=(ROWS, WIDE)) * 2).astype(np.float32)
    nodes = [
        quire("RMSNorm", ["x", "group"], "n", epsilon=EPSILON),
        quire("LayerNorm", ["n", "weight", "bias"], "l", epsilon=EPSILON),
        quire("Activation", ["l"], "a", kind="relu2"),
        quire("LayerNorm", ["a", "weight"], "m", epsilon=EPSILON),
        quire("GatedActivation", ["m"], "g", kind="gelu_tanh"),
        quire("SoftCap", ["g"], "y", cap=CAP),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["T", WIDE])]
    save("rows", nodes, inputs, [numpy_helper.from_array(v, n) for n, v in weights.items()], "y")
    groups = x.astype(np.float64).reshape(ROWS, -1, GROUP)
    y = groups / np.sqrt((groups**2).mean(axis=-1, keepdims=True) + EPSILON) * weights["group"]
    y = y.reshape(ROWS, WIDE)

    def centred(v):
        return (v - v.mean(axis=1, keepdims=True)) / np.sqrt(v.var(axis=1, keepdims=True) + EPSILON)

    y = centred(y) * weights["weight"] + weights["bias"]
    y = centred(np.maximum(y, 0) ** 2) * weights["weight"]
    gate, up = np.split(y, 2, axis=1)
    inner = np.sqrt(2 / np.pi) * (gate + 0.044715 * gate**3)
    y = CAP * np.tanh(0.5 * gate * (1 + np.tanh(inner)) * up / CAP)
    with open("rows.json", "w", encoding="ascii") as file:
        json.dump({"x": x.tolist(), "y": y.tolist()}, file)
        file.write("\n")


def save_bad_node(name, op, **attributes):
    """A graph of one row-wise node with something wrong in it."""
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["T", HIDDEN])]
    save("bad_" + name, [quire(op, ["x"], "y", **attributes)], inputs, [], "y")


def main():
    save("decoder", *decoder())
    ids = rng.integers(0, VOCAB, 40)
    answer = {"ids": ids.tolist(), "block_bytes": BLOCK_BYTES,
              "logits": [[float(np.float32(v)) for v in row] for row in model(ids)]}
    with open("decoder.json", "w", encoding="ascii") as file:
        json.dump(answer, file)
        file.write("\n")
    save_bad("n", lambda a, c: a.update(N=2 * INNER + 1))
    save_bad("k", lambda a, c: a.update(K=HIDDEN + 64))
    save_bad("huge_k", lambda a, c: a.update(K=2**62))
    save_bad("bits", lambda a, c: a.update(bits=5))
    save_bad("activation_bits", lambda a, c: a.update(activation_bits=12))
    save_bad("float_activation_bits", lambda a, c: a.update(activation_bits=16.0))
    save_bad("block", lambda a, c: a.update(block_size=64))
    save_bad("float_k", lambda a, c: a.update(K=float(HIDDEN)))
    save_bad("no_k", lambda a, c: a.pop("K"))
    save_bad("type", lambda a, c: a.update(bits=8))
    save_bad("scale_type", lambda a, c: replace(c, 1, np.ones((2 * INNER, 2), np.float32)))
    save_bad("scale_size", lambda a, c: replace(c, 1, np.ones((INNER, 2), np.float16)))
    save_bad("input", lambda a, c: c.pop(0), as_input=True)
    rows_graph()
    save_bad_node("kind", "Activation", kind="swish9")
    save_bad_node("no_kind", "GatedActivation")
    save_bad_node("int_kind", "Activation", kind=3)
    save_bad_node("cap", "SoftCap", cap=0.0)
    save_bad_node("no_cap", "SoftCap")


if __name__ == "__main__":
    main()
