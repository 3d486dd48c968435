"""The own executor beside the runtimes that are its oracles: equal bits on every family."""

from pathlib import Path

import pytest
from nanochat_runs import DATA, ERAS, TRAINED
from packages import PackageStore
from program import Program
from test_nanochat import era_package
from tiny_families import FAMILIES

EQUAL = "equal: every logit, bit for bit"


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_family_has_equal_bits_in_the_own_executor_and_in_onnx_runtime(
    quire: Program, store: PackageStore, family: str
) -> None:
    run = quire("verify", store.family(family), "--shadow", "graph,onnx")
    assert run.code == 0, run.err
    assert EQUAL in run.out


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16", "int8"])
@pytest.mark.parametrize("isa", ["portable", "avx2", "avx512", "amx"])
def test_every_cache_and_instruction_set_has_equal_bits(
    quire: Program, default_package: Path, tiny_package: Path, dtype: str, isa: str
) -> None:
    # The portable loops take minutes over the real model.
    package = tiny_package if isa == "portable" else default_package
    run = quire(
        "verify", package, "--shadow", "graph,onnx", "--kv-dtype", dtype, env={"QUIRE_ISA": isa}
    )
    if run.code == 2 and "this machine" in run.err:
        return  # an instruction set that this machine lacks has nothing to be compared
    assert run.code == 0, run.err
    assert EQUAL in run.out


@pytest.mark.parametrize("quantize", ["int4", "int8"])
def test_quantized_weights_have_equal_bits_in_all_three(
    quire: Program, store: PackageStore, quantize: str
) -> None:
    package = store.tiny(f"three-{quantize}", {"format": "both", "quantize": quantize})
    run = quire("verify", package, "--shadow", "graph,onnx,torch")
    assert run.code == 0, run.err
    assert run.out.count(EQUAL) == 2


def test_activation_bits_asked_for_count_on_both_runtimes(
    quire: Program, default_package: Path
) -> None:
    """The package says 16; with 8 its answers are further from the model's."""
    shadow = quire("verify", default_package, "--shadow", "graph,onnx", "--activation-bits", "8")
    assert shadow.code == 0 and EQUAL in shadow.out, shadow
    as_packaged = quire("verify", default_package)
    sixteen = quire("verify", default_package, "--activation-bits", "16")
    assert as_packaged.code == 0 and as_packaged.out == sixteen.out
    eight = quire("verify", default_package, "--activation-bits", "8")
    assert eight.code == 1 and "FAILED" in eight.out, eight


def test_activation_bits_are_refused_where_nothing_has_them(
    quire: Program, store: PackageStore, tiny_package: Path
) -> None:
    for package in (tiny_package, store.tiny("explicit", {"cache": "explicit"})):
        quire("generate", "-m", package, "--activation-bits", "8", "x").assert_refused(
            2, "--activation-bits"
        )


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_float_weights_have_equal_bits_in_all_three(
    quire: Program, store: PackageStore, dtype: str
) -> None:
    package = store.tiny(f"three-{dtype}", {"format": "both", "dtype": dtype})
    run = quire("verify", package, "--shadow", "graph,onnx,torch")
    assert run.code == 0, run.err
    assert run.out.count(EQUAL) == 2


@pytest.mark.parametrize("name", [*TRAINED, *ERAS])
def test_nanochat_has_equal_bits_in_the_own_executor_and_in_onnx_runtime(
    quire: Program, store: PackageStore, name: str, tmp_path: Path
) -> None:
    if name in TRAINED:
        package = store.from_source(f"nanochat-{name}", DATA / name, source=TRAINED[name])
    else:
        package = era_package(store, name, tmp_path)
    run = quire("verify", package, "--shadow", "graph,onnx")
    assert run.code == 0, run.err
    assert EQUAL in run.out
