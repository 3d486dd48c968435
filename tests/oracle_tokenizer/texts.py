"""Seeded random texts of every kind that tokenizers get wrong."""

import random

SCRIPTS = [
    (0x41, 0x5A), (0x61, 0x7A), (0x30, 0x39), (0xC0, 0x24F), (0x300, 0x36F), (0x370, 0x3FF),
    (0x400, 0x4FF), (0x531, 0x586), (0x590, 0x5FF), (0x600, 0x6FF), (0x900, 0x97F), (0xE00, 0xE7F),
    (0x1100, 0x11FF), (0x1E00, 0x1EFF), (0x1F00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x209F),
    (0x20A0, 0x20CF), (0x2100, 0x218F), (0x2460, 0x24FF), (0x2600, 0x27BF), (0x3000, 0x30FF),
    (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFE00, 0xFE0F), (0xFF00, 0xFFEF),
    (0x10400, 0x1044F), (0x11DE0, 0x11DEF), (0x1D400, 0x1D7FF), (0x1F1E6, 0x1F1FF),
    (0x1F300, 0x1F6FF), (0x1F900, 0x1F9FF), (0x20000, 0x20100), (0xE0100, 0xE01EF),
]  # fmt: skip
SPACES = " \t\n\r\x0b\x0c\x1c\x1f\x85\xa0\u1680\u2000\u2003\u200b\u2028\u2029\u202f\u205f\u3000\ufeff"
DIGITS = "0123456789٠١٢٣४५६๗๘９８²³¼½Ⅷↂ㉈𝟘𝟙𑱐"
EMOJI = ["👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪🇫🇷", "1️⃣", "❤️", "🫠", "👨🏾‍🚀", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"]
CONTRACTIONS = ["'s", "'S", "'t", "'RE", "'re", "'ve", "'m", "'ll", "'lL", "'d", "'ſ", "’s", "'"]
COMBINING = "\u0301\u0300\u0323\u0327\u0328\u0345\u05b0\u093c\u094d\u0e38\u1ab0\u20dd\u3099"
CODE = [
    "for (int i = 0; i < n; ++i) {\n", "\tdef f(self, x):\n        return x**2  # comment\n",
    "http://a.b/c?d=e&f=%20", "{\"a\": [1, 2.5e-3, null]}", "std::vector<int>", "#include <x.h>\r\n",
    "a=b+c;//d", "C:\\dir\\file", "$HOME/bin", "`x`", "<div class='a'>", "-->", "...", "!!!", "__init__",
]  # fmt: skip
WORDS = "the of and Hello World don't WE'LL naïve Straße ΑΒΓ привет мир 你好 世界 こんにちは 안녕 שלום مرحبا ไทย हिन्दी iPhone HTMLParser ABCdef XMLHttp".split()


def chars(rng, count):
    low, high = rng.choice(SCRIPTS)
    return "".join(chr(rng.randint(low, high)) for _ in range(count))


def anything(rng, count):
    out = []
    for _ in range(count):
        code_point = rng.randrange(0x110000)
        out.append("\ufffd" if 0xD800 <= code_point <= 0xDFFF else chr(code_point))
    return "".join(out)


def piece(rng, specials):
    kind = rng.randrange(14)
    if kind == 0:
        return rng.choice(WORDS)
    if kind == 1:
        return "".join(rng.choice(SPACES) for _ in range(rng.randint(1, 5)))
    if kind == 2:
        return "".join(rng.choice(DIGITS) for _ in range(rng.randint(1, 7)))
    if kind == 3:
        return rng.choice(EMOJI)
    if kind == 4:
        return rng.choice(CONTRACTIONS)
    if kind == 5:
        return rng.choice("aeounAÅé가が") + "".join(rng.choice(COMBINING) for _ in range(rng.randint(1, 4)))
    if kind == 6:
        return rng.choice(CODE)
    if kind == 7:
        return "".join(chr(rng.randrange(0, 0x80)) for _ in range(rng.randint(1, 8)))
    if kind == 8:
        return chr(rng.randrange(0, 0x20)) + chr(rng.randrange(0x7F, 0xA0))
    if kind == 9 and specials:
        return rng.choice(specials)
    if kind == 10:
        return rng.choice(" \n\tab1.'!é^=-") * rng.randint(1, 60)
    if kind == 11:
        return anything(rng, rng.randint(1, 4))
    if kind == 12:
        return " " * rng.randint(1, 3) + rng.choice(WORDS)
    return chars(rng, rng.randint(1, 6))


def random_texts(seed, count, specials=()):
    """`count` texts; equal for equal arguments."""
    rng = random.Random(seed)
    fixed = ["", " ", "\n", "  \n\n  ", "a", "é", "\0", "\u0345", "'", "''s", " 's", "\r\n\r\n", "𝟘" * 5]
    texts = fixed + [s for s in specials] + [f" {s} x" for s in specials]
    while len(texts) < count:
        texts.append("".join(piece(rng, specials) for _ in range(rng.randint(1, 12))))
    return texts[:count]
