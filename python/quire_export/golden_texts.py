"""Texts the goldens are made of: many kinds of writing, spacing and trouble."""

import itertools

PROSE = (
    "The harbour was quiet when the first boat came in. Two men unloaded crates of silver fish "
    "while a child counted the gulls on the roof of the old customs house. By noon the market "
    "would be full, the scales would clatter, and nobody would remember that the night before "
    "the lighthouse had gone dark for almost an hour."
)

CHAT_MESSAGES: tuple[list[dict[str, str]], ...] = (
    [{"role": "user", "content": "What is the capital of France?"}],
    [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello! How can I help?"},
        {"role": "user", "content": "Name three prime numbers and say why 1 is none."},
    ],
)

TEXTS: tuple[str, ...] = (
    "",
    " ",
    "  ",
    "\n",
    "\t",
    "\n\n\n",
    " \n \t ",
    "a",
    "A",
    " a",
    "a ",
    "  a  b   c    ",
    "Hello",
    "Hello world",
    "Hello, world!",
    "hello HELLO hElLo",
    PROSE,
    "don't can't we'll I'm you've he'd it's THEY'RE",
    "0",
    "7",
    "42",
    "1234567890",
    "3.14159 2,718 1e-10 0x1F",
    "12 345 6789",
    "2024-02-29T23:59:59Z",
    "$5.00 (50%) #1 @home & more",
    "!!!???...",
    "....",
    "---- ____ ====",
    "<<<>>> [[]] {{}}",
    "def f(x):\n    return x ** 2  # square\n",
    "for (int i = 0; i < n; ++i) {\n\tsum += a[i];\n}",
    '{"key": [1, 2.5, null, true], "k2": "v\\n"}',
    "SELECT * FROM t WHERE a <> 'b';",
    "https://example.org/path?q=1&r=a%20b#frag",
    "user@example.org",
    "C:\\temp\\new\\file.txt",
    "line one\r\nline two\rline three\n",
    "tabs\tand\t\ttabs",
    "trailing spaces   ",
    "   leading spaces",
    "caf\u00e9 na\u00efve \u00fcber stra\u00dfe",
    "cafe\u0301 (decomposed)",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440!",
    "\u0395\u03bb\u03bb\u03b7\u03bd\u03b9\u03ba\u03ac",
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002",
    "\u3053\u3093\u306b\u3061\u306f \u30c6\u30b9\u30c8",
    "\uc548\ub155\ud558\uc138\uc694",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0643",
    "\u05e9\u05dc\u05d5\u05dd",
    "\u0928\u092e\u0938\u094d\u0924\u0947",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
    "\U0001f600\U0001f680\u2728",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1eb\U0001f1f7 \U0001f44d\U0001f3fd",
    "\u00a0\u2003\u3000\u200b",
    "\ufeffbyte order mark",
    "\ufffd replacement",
    "x\u00b2 + y\u00b3 = \u2211\u221a\u03c0 \u2260 \u221e",
    "\u2018curly\u2019 \u201cquotes\u201d \u2014",
    "\u0660\u0661\u0662 \u0967\u0968 \u2160\u2161 \u00bd \u2460",
    "\x00\x01\x7f",
    "a" * 100,
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "\U00010348\U0001d54f\U0001f9ff",
    "mixed\u4e2d\u6587and English123\u6570\u5b57",
)


def special_texts(specials: list[str]) -> list[str]:
    """Texts that spell the tokenizer's special tokens, at their edges and inside words."""
    chosen = specials[:3]
    texts = [
        text
        for token in chosen
        for text in (token, f"a{token}b", f" {token} ", f"{token}\n{token}")
    ]
    texts += [f"{a}user\nHi{b}\n" for a, b in itertools.pairwise(chosen)]
    return texts
