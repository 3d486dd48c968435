"""The command `quire-export`."""

import argparse
import os
from typing import TYPE_CHECKING

from quire_export.console import Parser, tell, with_output
from quire_export.errors import EXIT_OK, EXIT_OTHER, ExportError, missing_package, shown
from quire_export.options import (
    ACTIVATION_BITS,
    CACHES,
    DTYPES,
    FORMATS,
    NANOCHAT_SOURCES,
    ROUNDINGS,
    QUANTIZATIONS,
    ExportOptions,
)
from quire_export.version import __version__

if TYPE_CHECKING:
    from quire_export.export import ExportReport

_EXAMPLES = """examples:
  quire-export SmolLM2-135M-Instruct.Q4_1.gguf -o models/smollm2
      a GGUF file; Q4_0, Q4_1 and Q8_0 weights are kept bit for bit
  quire-export ./Llama-3.2-1B-Instruct -o models/llama --quantize int8
      a Hugging Face folder, quantized; prints what that costs
  quire-export ./Llama-3.2-1B-Instruct -o models/llama --dtype bf16 --max-seq-len 8192
  quire-export ~/.cache/nanochat -o models/my-chat --source sft
      a nanochat training run of any age

exit codes: 0 ok, 2 wrong usage, 3 bad model or input file, 1 other"""


_COMMAND = "quire-export"


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="quire-export",
        epilog=_EXAMPLES,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Turns a model's files into a Quire package and checks it against the source.",
    )
    parser.add_argument(
        "source",
        metavar="SRC",
        help="Hugging Face folder, GGUF file, nanochat directory, or hub id (owner/model)",
    )
    parser.add_argument("-o", "--output", metavar="PKG", required=True, help="package folder")
    parser.add_argument("--format", choices=FORMATS, default="onnx")
    parser.add_argument("--cache", choices=CACHES, default="paged")
    _add_storage(parser)
    parser.add_argument(
        "--opset", type=int, default=20, metavar="N", help="ONNX opset (default 20)"
    )
    parser.add_argument("--max-seq-len", type=int, metavar="N", help="cut the context to N tokens")
    _add_nanochat(parser)
    parser.add_argument("--force", action="store_true", help="replace the package that is there")
    parser.add_argument("--version", action="version", version=f"quire-export {__version__}")
    return parser


def _add_storage(parser: argparse.ArgumentParser) -> None:
    """The options that say how weights are stored."""
    parser.add_argument(
        "--dtype",
        choices=DTYPES,
        default="fp32",
        help="type of unquantized matrices (default fp32)",
    )
    parser.add_argument(
        "--quantize", choices=QUANTIZATIONS, help="default: none; for a GGUF file keep"
    )
    parser.add_argument(
        "--activation-bits",
        type=int,
        choices=ACTIVATION_BITS,
        default=16,
        help="activations beside 4- and 8-bit weights: 16 (default) or the faster, coarser 8",
    )
    parser.add_argument(
        "--rounding",
        choices=ROUNDINGS,
        default="search",
        help="int4: search each block's scale and minimum (default), or the nearest, faster",
    )
    parser.add_argument(
        "--wide",
        metavar="PATTERN",
        action="append",
        help="int4: store tensors of this name in 8 bits, * being anything; several may be given; "
        "default: vocabulary tables, *.v_proj.weight and *.down_proj.weight",
    )
    parser.add_argument(
        "--force-quality",
        action="store_true",
        help="keep a package whose perplexity rises by more than a quarter",
    )


def _add_nanochat(parser: argparse.ArgumentParser) -> None:
    """The options that choose and complete a nanochat checkpoint."""
    parser.add_argument(
        "--source",
        dest="checkpoint",
        choices=NANOCHAT_SOURCES,
        help="which checkpoint of a nanochat directory (default sft)",
    )
    parser.add_argument("--model-tag", metavar="TAG", help="nanochat: default the deepest d<N>")
    parser.add_argument("--step", type=int, metavar="N", help="nanochat: default the last")
    parser.add_argument(
        "--softcap",
        type=float,
        metavar="X",
        help="nanochat of early March 2026: 15 or 20 (default: the one with less perplexity)",
    )


def _notice(line: str) -> None:
    tell(_COMMAND, f"note: {line}")


def _export(arguments: argparse.Namespace) -> "ExportReport":
    options = ExportOptions(
        format=arguments.format,
        cache=arguments.cache,
        dtype=arguments.dtype,
        quantize=arguments.quantize,
        activation_bits=arguments.activation_bits,
        rounding=arguments.rounding,
        wide=None if arguments.wide is None else tuple(arguments.wide),
        force_quality=arguments.force_quality,
        opset=arguments.opset,
        max_seq_len=arguments.max_seq_len,
        source=arguments.checkpoint,
        model_tag=arguments.model_tag,
        step=arguments.step,
        softcap=arguments.softcap,
        force=arguments.force,
        notice=_notice,
    )
    from quire_export.export import export_model

    return export_model(arguments.source, arguments.output, options)


def _print(report: "ExportReport") -> None:
    found = report.graph_difference
    print(shown(f"{report.package}: {report.name}, {report.num_bytes} bytes"))
    print(
        f"graph against source: logits within {found.max_abs:.2g}, "
        f"top-1 agreement {found.agreement:.2%}"
    )
    if report.loss is not None:
        print(
            f"storage against unquantized source: logits within {report.loss.max_abs:.3g}, "
            f"top-1 agreement {report.loss.agreement:.2%}"
        )
    if report.quality is not None:
        quality = report.quality
        print(
            f"perplexity of {quality.num_tokens} tokens of prose: {quality.source_perplexity:.4g} "
            f"unquantized, {quality.stored_perplexity:.4g} stored ({quality.rise - 1:+.2%}), "
            f"top-1 agreement {quality.agreement:.2%}"
        )


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return with_output(_COMMAND, lambda: _main(argv))


def _main(argv: list[str] | None) -> int:
    arguments = _parser().parse_args(argv)
    # Read when transformers is first imported: a local source must not touch the network.
    if os.path.exists(arguments.source):
        os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        report = _export(arguments)
    except ExportError as error:
        tell(_COMMAND, str(error))
        return error.exit_code
    except KeyboardInterrupt:
        tell(_COMMAND, "interrupted; nothing was written")
        return EXIT_OTHER
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        tell(_COMMAND, f"{place}{error.strerror or error}; nothing was written")
        return EXIT_OTHER
    except ModuleNotFoundError as error:
        tell(_COMMAND, missing_package(error))
        return EXIT_OTHER
    except Exception as error:  # the last resort: still one line, never a traceback
        cause = str(error) or "no message"
        tell(_COMMAND, f"unexpected {type(error).__name__}: {cause}; please report it")
        return EXIT_OTHER
    _print(report)
    return EXIT_OK
