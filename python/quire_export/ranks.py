"""A vocabulary of tiktoken's kind: byte strings with ranks, and what they make in `tokenizers`."""

from dataclasses import dataclass

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers


@dataclass(frozen=True)
class Ranks:
    """A tiktoken vocabulary: `ranks` of byte strings, 0 to n-1, and `specials` after them."""

    pattern: str
    ranks: dict[bytes, int]
    specials: dict[str, int]

    @property
    def size(self) -> int:
        """Number of ids."""
        return len(self.ranks) + len(self.specials)


def make_tokenizer(ranks: Ranks) -> Tokenizer:
    """A byte-level BPE that merges whatever joins to a token, lowest rank first, as tiktoken."""
    symbols = _byte_symbols()
    names = {token: "".join(symbols[byte] for byte in token) for token in ranks.ranks}
    merges = []
    for token in sorted(ranks.ranks, key=ranks.ranks.__getitem__):
        halves = [(token[:cut], token[cut:]) for cut in range(1, len(token))]
        known = [pair for pair in halves if pair[0] in ranks.ranks and pair[1] in ranks.ranks]
        known.sort(key=lambda pair: (ranks.ranks[pair[0]], ranks.ranks[pair[1]]))
        merges += [(names[left], names[right]) for left, right in known]
    vocab = {names[token]: rank for token, rank in ranks.ranks.items()}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(ranks.pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    ordered = sorted(ranks.specials, key=ranks.specials.__getitem__)
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in ordered])
    return tokenizer


def _byte_symbols() -> list[str]:
    """The visible character that stands for each byte in byte-level vocabularies."""
    visible = {*range(33, 127), *range(161, 173), *range(174, 256)}
    hidden = iter(range(256, 512))
    return [chr(byte if byte in visible else next(hidden)) for byte in range(256)]
