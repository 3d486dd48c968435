"""How long compiling and masking take on the vocabulary of a package: `masks.py PACKAGE`."""

import json
import pathlib
import random
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from oracle import schema  # noqa: E402
from test_grammar_oracle import DRIVER  # noqa: E402

PERSON = {"type": "object", "properties": {
    "name": {"type": "string", "minLength": 1, "maxLength": 60}, "age": {"type": "integer", "minimum": 0, "maximum": 150},
    "email": {"type": "string", "format": "email"}, "tags": {"type": "array", "items": {"enum": ["a", "b", "c"]}, "maxItems": 5},
    "notes": {"type": "string"}}, "required": ["name", "age"], "additionalProperties": False}


def main() -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(sys.argv[1] + "/tokenizer.json")
    added = tokenizer.get_added_tokens_decoder()
    alphabet = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    byte_of = {chr(b): b for b in alphabet}
    byte_of |= {chr(256 + i): b for i, b in enumerate(b for b in range(256) if b not in alphabet)}
    size = tokenizer.get_vocab_size()
    tokens: list[list[int]] = [[] for _ in range(size)]
    for text, token in tokenizer.get_vocab().items():
        if token not in added:
            tokens[token] = [byte_of[c] for c in text]
    rng = random.Random(1)
    rules = [{"kind": "schema", "text": json.dumps(PERSON)}, {"kind": "json_object"},
             {"kind": "regex", "text": r"[A-Z][a-z]+( \w+){2,9}\."}]
    rules += [{"kind": "schema", "text": json.dumps(PERSON | {"title": str(i)})} for i in range(3)]
    with subprocess.Popen([DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdin and driver.stdout

        def ask(line: dict) -> dict:
            driver.stdin.write(json.dumps(line) + "\n")
            driver.stdin.flush()
            return json.loads(driver.stdout.readline())

        ask({"vocabulary": tokens})
        times, compiles = [], []
        for rule in rules:
            for walk in range(20):
                answer = ask(rule | {"walk": 80, "seed": rng.randrange(2**31)})
                if "error" in answer:
                    print(rule, answer)
                    break
                times += answer["mask_us"]
                compiles.append(answer["compile_us"])
        for name, values in (("mask, us", times), ("compile, us", compiles)):
            values.sort()
            at = [values[int(len(values) * share)] for share in (0.5, 0.9, 0.99)]
            print(name, "median %.1f p90 %.1f p99 %.1f" % tuple(at), "max %.1f" % values[-1], "of", len(values))
        driver.stdin.close()
    assert schema


if __name__ == "__main__":
    main()
