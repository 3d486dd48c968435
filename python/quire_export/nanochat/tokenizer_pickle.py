"""Reads nanochat's tokenizer.pkl, a pickled tiktoken.Encoding, without running any code of it."""

import io
import pickle
import pickletools
from pathlib import Path

from quire_export.errors import ExportError
from quire_export.ranks import Ranks

_MAX_BYTES = 64 << 20
_MAX_ID = 1 << 21
# What a pickle of plain dicts, texts, bytes and numbers around one object is made of.
_PLAIN_OPCODES = frozenset(
    "PROTO FRAME STOP MARK MEMOIZE PUT BINPUT LONG_BINPUT GET BINGET LONG_BINGET "
    "SHORT_BINUNICODE BINUNICODE BINUNICODE8 UNICODE SHORT_BINBYTES BINBYTES BINBYTES8 "
    "BININT BININT1 BININT2 INT LONG1 NONE NEWTRUE NEWFALSE EMPTY_TUPLE EMPTY_DICT TUPLE1 TUPLE2 "
    "TUPLE3 TUPLE SETITEM SETITEMS STACK_GLOBAL GLOBAL NEWOBJ BUILD POP POP_MARK".split()
)
_PUTS = ("PUT", "BINPUT", "LONG_BINPUT")


class _Encoding:
    """Stands for tiktoken's class: keeps the state, does nothing."""

    state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Unpickler(pickle.Unpickler):
    """Knows one class and no function."""

    def find_class(self, module: str, name: str) -> type:
        """The stub for tiktoken.core.Encoding; everything else is refused."""
        if (module, name) == ("tiktoken.core", "Encoding"):
            return _Encoding
        raise ExportError(
            f"tokenizer.pkl asks for {module}.{name}, which a tokenizer does not need: it would "
            "run code; get the file from the training run again"
        )


def read_ranks(path: Path) -> Ranks:
    """The vocabulary of a tokenizer.pkl, checked."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ExportError(
                f"{path} is larger than {_MAX_BYTES} bytes, it is no tokenizer; use that of the "
                "training run"
            )
        data = path.read_bytes()
    except OSError as error:
        raise ExportError(
            f"cannot read {path}: {error.strerror}; put the tokenizer of the training run "
            "beside its checkpoints"
        ) from error
    try:
        _check_opcodes(data)
        value = _Unpickler(io.BytesIO(data)).load()
    except ExportError:
        raise
    except Exception as error:  # pickle raises nearly anything on damaged data
        cause = " ".join(str(error).split())[:200]
        raise ExportError(f"{path.name} is damaged: {cause}; copy it again") from error
    state = value.state if isinstance(value, _Encoding) else None
    if not isinstance(state, dict):
        raise ExportError(
            f"{path.name} holds no tiktoken vocabulary; use the tokenizer of the training run"
        )
    return _checked(state)


def _check_opcodes(data: bytes) -> None:
    """Refuses instructions that could call something or reserve memory out of proportion."""
    count = 0
    for opcode, argument, _ in pickletools.genops(data):
        count += 1
        if opcode.name not in _PLAIN_OPCODES:
            raise ExportError(
                f"tokenizer.pkl has the instruction {opcode.name}, which a tokenizer does not "
                "need: it may run code; get the file from the training run again"
            )
        if opcode.name in _PUTS and int(argument) > count:
            raise ExportError("tokenizer.pkl is damaged: a memo index is out of order; copy it")


def _checked(state: dict[object, object]) -> Ranks:
    pattern, ranks = state.get("pat_str"), state.get("mergeable_ranks")
    specials = state.get("special_tokens")
    if (
        not isinstance(pattern, str)
        or not isinstance(ranks, dict)
        or not isinstance(specials, dict)
        or not all(isinstance(token, bytes) and token for token in ranks)
        or not all(isinstance(token, str) and token for token in specials)
    ):
        raise ExportError(
            "tokenizer.pkl lacks pat_str, mergeable_ranks or special_tokens; copy it again"
        )
    ids = [*ranks.values(), *specials.values()]
    if len(ids) > _MAX_ID or not all(type(i) is int for i in ids):
        raise ExportError("tokenizer.pkl has ids that are no small numbers; copy it again")
    if sorted(ranks.values()) != list(range(len(ranks))) or sorted(ids) != list(range(len(ids))):
        raise ExportError("tokenizer.pkl has gaps or doubles among its ids; copy it again")
    if missing := [byte for byte in range(256) if bytes([byte]) not in ranks]:
        raise ExportError(f"tokenizer.pkl has no token for byte {missing[0]}; copy it again")
    return Ranks(pattern, dict(ranks), dict(specials))
