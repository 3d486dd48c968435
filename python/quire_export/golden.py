"""Goldens: what the source model answers, recorded so that any machine can replay it."""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import transformers
from tokenizers import AddedToken, Tokenizer

from quire_export.errors import EXIT_OTHER, ExportError
from quire_export.golden_texts import CHAT_MESSAGES, PROSE, TEXTS, special_texts
from quire_export.progress import Progress
from quire_export.source import Encode, Reference, Source
from quire_export.spec import DecoderSpec
from quire_export.template_texts import own_texts, written

GREEDY_TOKENS = 32
TOP_IDS = 16
_PROMPT_LENGTHS = (1, 7, 64)


@dataclass(frozen=True)
class Prompt:
    """A prompt and the source's answer; `logits` float32 [len(ids) + len(greedy) - 1, vocab]."""

    name: str
    ids: list[int]
    greedy: list[int]
    logits: np.ndarray

    @property
    def sequence(self) -> list[int]:
        """The tokens that yield `logits`, one row each."""
        return self.ids + self.greedy[:-1]


def gaps(logits: np.ndarray) -> np.ndarray:
    """Distance between the two best logits of each row [T, vocab]; float32 [T]."""
    if logits.shape[1] < 2:
        return np.full(len(logits), np.inf, np.float32)
    best = np.partition(logits, -2, axis=-1)[:, -2:]
    return np.abs(best[:, 1] - best[:, 0])


class PackageTokenizer:
    """The tokenizer files of a package folder, read by their reference implementations.

    `source` is how the source's own tokenizer cuts a text, where it has one: what goldens record.
    """

    def __init__(self, folder: Path, vocab_size: int, source: Encode | None = None) -> None:
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # the library raises bare Exception
            raise ExportError(
                f"tokenizer.json cannot be read: {error}; check the source's tokenizer files"
            ) from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._folder = folder
        added = self._tokenizer.get_added_tokens_decoder()
        self.added = [token.content for token in added.values()]
        written = self._written_by_template()
        # Text may never produce what steers the model, whether or not the files call it special.
        self.control_ids = sorted(
            i for i, token in added.items() if token.special or token.content in written
        )
        self.specials = [added[i].content for i in self.control_ids]
        self._flagged = [t.content for t in added.values() if _has_flags(t)]
        self._source = source
        # Added tokens beyond the logits are those of another model of the family, which sees
        # pictures, say: no reason to refuse this one.
        known = self._tokenizer.get_vocab(with_added_tokens=False)
        largest = max((i for t, i in known.items() if i not in added), default=-1)
        if largest >= vocab_size:
            raise ExportError(
                f"the tokenizer knows id {largest}, but the model has only {vocab_size} logits; "
                "tokenizer and model do not belong together; take both from the same place"
            )

    def _written_by_template(self) -> set[str]:
        """Added tokens that the chat template has in itself or makes around plain messages."""
        path = self._folder / "chat_template.jinja"
        if not path.is_file():
            return set()
        chats = [self.rendered(messages) for messages in CHAT_MESSAGES]
        texts = own_texts(path.read_text(encoding="utf-8"))
        return written(self.added, [*texts, *(chat for chat in chats if chat is not None)])

    def id_of(self, token: str) -> int | None:
        """The id of a whole token."""
        return self._tokenizer.token_to_id(token)

    def encode(self, text: str, special: bool) -> list[int]:
        """Ids of `text`; with `special`, the tokens the post-processor adds as well."""
        return self._tokenizer.encode(text, add_special_tokens=special).ids

    def goldens(self) -> list[dict[str, object]]:
        """Entries of golden.json's `tokenizer`."""
        texts = [(text, False) for text in TEXTS if not any(t in text for t in self.added)]
        spelled = special_texts(self.specials) + special_texts(self._flagged)
        texts += [(text, True) for text in dict.fromkeys((*TEXTS[13:17], *spelled))]
        return [
            {"text": text, "special": special, "ids": self._agreed(text, special)}
            for text, special in texts
        ]

    def _agreed(self, text: str, special: bool) -> list[int]:
        """Ids of `text` by the package's files, which must be those of the source's tokenizer."""
        ids = self.encode(text, special)
        theirs = ids if self._source is None else self._source(text, special)
        if ids != theirs:
            raise ExportError(
                f"AutoTokenizer makes {theirs[:8]} of {text[:40]!r}, tokenizer.json {ids[:8]}: "
                "tokenizer_config.json asks for what a package cannot hold; nothing was written; "
                "please report it, with the model's name",
                EXIT_OTHER,
            )
        return ids

    def chats(self) -> list[dict[str, object]]:
        """Entries of golden.json's `chat`; empty without a chat template."""
        if self._renderer is None:
            return []
        made = []
        for messages in CHAT_MESSAGES:
            try:
                text = self._render(messages, True)
            except Exception as error:  # a template may raise anything
                raise ExportError(
                    f"chat template fails on an ordinary chat: {error}; check the source's template"
                ) from error
            made.append(
                {
                    "messages": messages,
                    "add_generation_prompt": True,
                    "text": text,
                    "ids": self.encode(text, special=False),
                }
            )
        return made

    def rendered(self, messages: list[dict[str, str]]) -> str | None:
        """What the chat template makes of `messages`; None where it refuses or there is none."""
        try:
            return None if self._renderer is None else self._render(messages, False)
        except Exception:  # a template may raise anything
            return None

    def _render(self, messages: list[dict[str, str]], prompt: bool) -> str:
        return self._renderer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=prompt
        )

    @functools.cached_property
    def _renderer(self) -> transformers.PreTrainedTokenizerFast | None:
        if not (self._folder / "chat_template.jinja").is_file():
            return None
        return transformers.PreTrainedTokenizerFast.from_pretrained(
            self._folder, local_files_only=True
        )


def _has_flags(token: AddedToken) -> bool:
    """Whether more than its text decides where an added token is found."""
    return token.lstrip or token.rstrip or token.single_word or not token.special


def prompt_ids(
    source: Source,
    tokenizer: PackageTokenizer | None,
    bos: int | None,
    chats: list[dict[str, object]],
) -> list[tuple[str, list[int]]]:
    """Names and ids of the golden prompts; each leaves room for at least one more token."""
    spec, lengths = source.spec, (*_PROMPT_LENGTHS, *source.golden_lengths)
    if tokenizer is not None:
        text = tokenizer.encode(PROSE, special=False)
        text = text * (1 + max(lengths) // max(len(text), 1))
    else:
        rng = np.random.default_rng(11)
        text = rng.integers(0, spec.vocab_size, max(lengths)).tolist()
    start = [bos] if bos is not None else text[:1]
    prompts = [("len1", start)]
    prompts += [(f"len{n}", (start + text)[:n]) for n in lengths[1:]]
    prompts += [(f"chat{i + 1}", list(chat["ids"])) for i, chat in enumerate(chats)]
    # A template may write a token that only a larger model of the family has a row for.
    return [
        (name, ids)
        for name, ids in prompts
        if 0 < len(ids) < spec.max_seq_len and max(ids) < spec.vocab_size
    ]


def answer(
    model: Reference,
    prompts: list[tuple[str, list[int]]],
    spec: DecoderSpec,
    eos: list[int],
    progress: Progress,
) -> list[Prompt]:
    """The source model's logits and greedy continuation of each prompt."""
    answers = []
    for name, ids in progress.each(prompts, "prompts", len(prompts)):
        room = min(GREEDY_TOKENS, spec.max_seq_len - len(ids))
        answers.append(_answer_one(model, (name, ids), room, eos))
    return answers


@torch.inference_mode()
def _answer_one(
    model: Reference, prompt: tuple[str, list[int]], room: int, eos: list[int]
) -> Prompt:
    name, ids = prompt
    out = model(input_ids=torch.tensor([ids]), use_cache=True)
    rows = [out.logits[0]]
    greedy = [int(out.logits[0, -1].argmax())]
    while len(greedy) < room and greedy[-1] not in eos:
        out = model(
            input_ids=torch.tensor([[greedy[-1]]]),
            use_cache=True,
            past_key_values=out.past_key_values,
        )
        rows.append(out.logits[0])
        greedy.append(int(out.logits[0, -1].argmax()))
    return Prompt(name, ids, greedy, torch.cat(rows).float().numpy())


def prompt_entry(prompt: Prompt) -> dict[str, object]:
    """An entry of golden.json's `prompts`."""
    distances = gaps(prompt.logits)
    positions = []
    for row, gap in zip(prompt.logits[: len(prompt.ids)], distances, strict=False):
        best = np.argsort(-row, kind="stable")[:TOP_IDS]
        positions.append(
            {"top_ids": best.tolist(), "top_logits": _short(row[best]), "gap": _short([gap])[0]}
        )
    deciding = distances[len(prompt.ids) - 1 :]
    return {
        "name": prompt.name,
        "ids": prompt.ids,
        "positions": positions,
        "greedy": {"ids": prompt.greedy, "gaps": _short(deciding)},
    }


def _short(values: np.ndarray | list[float]) -> list[float]:
    """Floats in the fewest digits that give back the same float32; none is infinite."""
    return [float(str(np.float32(min(float(v), 1e30)))) for v in values]


def source_description(source: Source) -> str:
    """What computed the goldens."""
    return f"{source.reference_name}, torch {torch.__version__}, float32"
