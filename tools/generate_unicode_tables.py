#!/usr/bin/env python3
"""Writes src/tokenizer/unicode_tables.cc: the character classes that split patterns ask for.

The classes are asked of the reference itself (Python `tokenizers`), code point by code point, so the
table has the Unicode version of the reference and not that of some other library. Usage:

    python tools/generate_unicode_tables.py [OUTPUT]
"""

import pathlib
import sys

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]

# In the order of the bits of `CharClass` in src/tokenizer/unicode_class.h.
PATTERNS = [
    r"[\p{Lu}\p{Lt}]",
    r"\p{Ll}",
    r"[\p{Lm}\p{Lo}]",
    r"\p{M}",
    r"\p{N}",
    r"\p{P}",
    r"\p{S}",
    r"\s",
]


def pattern_members(pattern):
    """Code points that one character of `pattern` matches in the reference's regex engine."""
    split = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    pieces = split.pre_tokenize_str("".join(map(chr, CODE_POINTS)))
    return {ord(char) for piece, _ in pieces for char in piece}


def word_members():
    """Code points that keep a `single_word` added token from being recognised right before them."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.add_tokens([AddedToken("X", single_word=True, normalized=False)])
    probes = [c for c in CODE_POINTS if c != ord("X")]
    text = "".join(f" X{chr(c)}" for c in probes)
    free = {begin for begin, _ in tokenizer.encode(text).offsets}
    return {c for i, c in enumerate(probes) if 3 * i + 1 not in free} | {ord("X")}


def digit_members():
    """Code points that the `Digits` pre-tokenizer splits off (its Unicode is newer than the regexes')."""
    digits = pre_tokenizers.Digits(individual_digits=True)
    pieces = digits.pre_tokenize_str("".join("a" + chr(c) for c in CODE_POINTS))
    return {ord(piece) for piece, (begin, end) in pieces if end - begin == 1 and begin % 2 == 1}


def ordered_mark_members():
    """Marks that the reference's NFC sorts (its Unicode is older than the regexes' and the digits')."""
    nfc = normalizers.NFC()
    iota = "\u0345"  # of the highest combining class, so every other mark moves before it
    moved = {c for c in CODE_POINTS if nfc.normalize_str(iota + chr(c))[-1] == iota}
    return moved | {ord(iota)}


def runs(masks):
    """(first code point, mask) wherever the mask changes."""
    previous = None
    for code_point in range(0x110000):
        mask = masks.get(code_point, 0)
        if mask != previous:
            yield code_point, mask
            previous = mask


def main(output):
    classes = [*map(pattern_members, PATTERNS), word_members(), digit_members()]
    classes.append(ordered_mark_members())
    masks = {}
    for bit, members in enumerate(classes):
        for code_point in members:
            masks[code_point] = masks.get(code_point, 0) | 1 << bit
    words = [f"0x{start << 11 | mask:08X}," for start, mask in runs(masks)]
    lines = ["  " + " ".join(words[i : i + 8]) for i in range(0, len(words), 8)]
    output.write_text(
        '#include "tokenizer/unicode_tables.h"\n\n'
        "// Written by tools/generate_unicode_tables.py from the reference's own classes; do not edit.\n"
        "// Each entry: first code point of a run << 11 | the classes of the whole run.\n"
        "namespace quire {\n\n"
        "// clang-format off\n"
        "const std::array<std::uint32_t, kNumUnicodeRuns> kUnicodeRuns = {\n"
        + "\n".join(lines)
        + "\n};\n// clang-format on\n\n}  // namespace quire\n"
    )
    print(f"{len(words)} runs; kNumUnicodeRuns in unicode_tables.h must be this number")


if __name__ == "__main__":
    root = pathlib.Path(__file__).resolve().parent.parent
    default = root / "src/tokenizer/unicode_tables.cc"
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default)
