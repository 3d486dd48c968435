"""Where an answer ends: every id that the package has a reason to end one at, and the reasons."""

from pathlib import Path

from quire_export.files import read_json
from quire_export.golden import PackageTokenizer

# What models call the end of a turn, of a message or of a text. A control token spelled so is one:
# chats are often trained on another end than the one that the configuration names.
END_TEXTS = frozenset(
    {
        "<EOT>",
        "<end_of_turn>",
        "<end_of_utterance>",
        "<|END_OF_TURN_TOKEN|>",
        "<|end_of_sentence|>",
        "<|end_of_text|>",
        "<|end_of_turn|>",
        "<|endofturn|>",
        "<|endoftext|>",
        "<|end|>",
        "<|eom_id|>",
        "<|eom|>",
        "<|eot_id|>",
        "<|eot|>",
        "<|im_end|>",
        "<\uff5cend\u2581of\u2581sentence\uff5c>",
        "[EOS]",
        "[EOT]",
        "_<EOT>",
    }
)
_USER, _ASSISTANT = "Qquestionq", "Aanswera"
_TURNS = [{"role": "user", "content": _USER}, {"role": "assistant", "content": _ASSISTANT}]


def end_ids(
    known: dict[int, str], folder: Path, tokenizer: PackageTokenizer | None, vocab_size: int
) -> dict[int, str]:
    """Ids that end an answer, each with where that is known from; the source's own come first.

    `known` are those of the source's configuration. The others: tokenizer_config.json's eos_token,
    control tokens of END_TEXTS, and what the chat template writes behind an assistant's turn.
    """
    reasons = {token: [reason] for token, reason in known.items()}
    if tokenizer is not None:
        found = [
            (_eos_token(folder, tokenizer), "eos_token of tokenizer_config.json"),
            *((i, f"control token {t}") for t, i in _control_ends(tokenizer).items()),
            (_behind_a_turn(tokenizer), "chat template"),
        ]
        for token, reason in found:
            if token is not None and token < vocab_size:
                reasons.setdefault(token, []).append(reason)
    return {token: ", ".join(given) for token, given in reasons.items()}


def _eos_token(folder: Path, tokenizer: PackageTokenizer) -> int | None:
    path = folder / "tokenizer_config.json"
    token = read_json(path).get("eos_token") if path.is_file() else None
    text = token.get("content") if isinstance(token, dict) else token
    return tokenizer.id_of(text) if isinstance(text, str) else None


def _control_ends(tokenizer: PackageTokenizer) -> dict[str, int]:
    controls = zip(tokenizer.specials, tokenizer.control_ids, strict=True)
    return {text: i for text, i in controls if text in END_TEXTS}


def _behind_a_turn(tokenizer: PackageTokenizer) -> int | None:
    """The added token that the chat template writes behind what an assistant says.

    A template that ends no turn says so by beginning the next one, with a marker of its own.
    """
    for messages in (_TURNS, [*_TURNS, {"role": "user", "content": _USER}]):
        text = tokenizer.rendered(messages)
        if text is None or _ASSISTANT not in text:
            continue
        behind = text.rsplit(_ASSISTANT, 1)[1].lstrip()
        markers = [t for t in tokenizer.added if t.strip() and behind.startswith(t.strip())]
        if markers:
            return tokenizer.id_of(max(markers, key=len))
    return None
