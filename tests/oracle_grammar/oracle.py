"""Random rules, documents near them, and what Python says of both.

The references: `re` for patterns, `jsonschema` for schemas, a small interpreter of GBNF's own
grammar trees for grammars. Each maker returns a case of the driver and the expected answers."""

import functools
import json
import random
import re
import signal
from typing import Any

import jsonschema

Case = tuple[dict[str, Any], list[str], list[bool]]

# --- patterns -----------------------------------------------------------------------------------

ATOMS = ["a", "b", "c", "1", "é", ".", "[abc]", "[^a]", "[a-c1]", r"\d", r"\w", r"\s", r"\D", r"\.", "[^\\W\\d]", "-"]
REPEATS = ["", "", "", "*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "*?", "{,2}"]
# Of what is in a group, so that Python's matcher, which goes back, comes to an end.
FEW = ["", "", "", "?", "{2}", "{0,2}"]
LETTERS = "aabbc1é.- _\n٣"


def pattern(rng: random.Random, depth: int = 0) -> str:
    parts = []
    for _ in range(rng.randint(1, 3)):
        if depth < 3 and rng.random() < 0.3:
            ways = [pattern(rng, depth + 1) for _ in range(rng.randint(1, 3))]
            if rng.random() < 0.15:
                ways.append("")
            atom = rng.choice(["(", "(?:", "(?P<n%d>" % rng.randrange(10**6)]) + "|".join(ways) + ")"
        else:
            atom = rng.choice(ATOMS)
        parts.append(atom + rng.choice(FEW if depth > 0 else REPEATS))
    return "".join(parts)


def text_of_pattern(rng: random.Random, tree: Any) -> str:
    """A text that a parsed pattern matches, most of the time."""
    out = ""
    for op, value in tree:
        name = str(op)
        if name == "LITERAL":
            out += chr(value)
        elif name == "ANY" or name == "NOT_LITERAL" or name == "IN":
            out += rng.choice(LETTERS)
        elif name in ("MAX_REPEAT", "MIN_REPEAT"):
            low, high, body = value
            for _ in range(rng.randint(low, min(int(high), low + 2))):
                out += text_of_pattern(rng, body)
        elif name == "SUBPATTERN":
            out += text_of_pattern(rng, value[-1])
        elif name == "BRANCH":
            out += text_of_pattern(rng, rng.choice(value[1]))
    return out


def damaged(rng: random.Random, text: str, letters: str) -> str:
    chars = list(text)
    for _ in range(rng.randint(0, 2)):
        at = rng.randint(0, len(chars))
        what = rng.random()
        if what < 0.4:
            chars.insert(at, rng.choice(letters))
        elif chars and what < 0.7:
            del chars[min(at, len(chars) - 1)]
        elif chars:
            chars[min(at, len(chars) - 1)] = rng.choice(letters)
    return "".join(chars)


def matches(compiled: re.Pattern[str], text: str) -> bool | None:
    """None where `re`, which goes back, would take more than a tenth of a second of this process."""

    def give_up(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGVTALRM, give_up)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.1)
        return bool(compiled.fullmatch(text))
    except TimeoutError:
        return None
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def regex_case(rng: random.Random, count: int) -> Case:
    text = pattern(rng)
    tree = re._parser.parse(text)  # type: ignore[attr-defined]
    compiled = re.compile(text)
    documents, expected = [], []
    for _ in range(count):
        document = damaged(rng, text_of_pattern(rng, tree), LETTERS)[:12]
        answer = matches(compiled, document)
        if answer is None:
            break  # the pattern is one of those; its other texts would take as long
        documents.append(document)
        expected.append(answer)
    return {"kind": "regex", "text": text}, documents, expected


# --- grammars -----------------------------------------------------------------------------------

Tree = tuple[Any, ...]


def grammar_tree(rng: random.Random, names: list[str], depth: int = 0) -> Tree:
    kind = rng.random()
    if depth > 2 or kind < 0.35:
        return ("text", "".join(rng.choice("abc1é\"\\") for _ in range(rng.randint(1, 2))))
    if kind < 0.5:
        return ("set", rng.choice(["abc", "1", "é\n"]), rng.random() < 0.3)
    if kind < 0.6 and depth > 0:
        return ("seq", [("text", rng.choice("abc1")), ("rule", rng.choice(names))])
    inner = [grammar_tree(rng, names, depth + 1) for _ in range(rng.randint(1, 3))]
    if kind < 0.75:
        return ("alt", inner)
    if kind < 0.9:
        return ("seq", inner)
    low = rng.randint(0, 2)
    return ("rep", inner[0], low, rng.choice([None, low, low + 1, low + 2]))


def gbnf(tree: Tree) -> str:
    if tree[0] == "text":
        return json.dumps(tree[1], ensure_ascii=False)
    if tree[0] == "set":
        return "[" + ("^" if tree[2] else "") + tree[1].replace("\n", "\\n") + "]"
    if tree[0] == "rule":
        return str(tree[1])
    if tree[0] == "rep":
        low, high = tree[2], tree[3]
        marks = {(0, None): "*", (1, None): "+", (0, 1): "?"}
        count = f"{{{low},{'' if high is None else high}}}"
        return f"({gbnf(tree[1])}){marks.get((low, high), count)}"
    joiner = " | " if tree[0] == "alt" else " "
    return "(" + joiner.join(gbnf(child) for child in tree[1]) + ")"


def ends(tree: Tree, rules: dict[str, Tree], text: str) -> Any:
    """A function from where a tree begins in the text to all the places where it may end."""

    @functools.lru_cache(maxsize=None)
    def rule(name: str, at: int) -> frozenset[int]:
        return run(rules[name], at)

    def run(tree: Tree, at: int) -> frozenset[int]:
        if tree[0] == "text":
            return frozenset([at + len(tree[1])] if text.startswith(tree[1], at) else [])
        if tree[0] == "set":
            fits = at < len(text) and (text[at] in tree[1]) != tree[2]
            return frozenset([at + 1] if fits else [])
        if tree[0] == "rule":
            return rule(tree[1], at)
        if tree[0] == "alt":
            return frozenset().union(*(run(child, at) for child in tree[1]))
        if tree[0] == "seq":
            places = frozenset([at])
            for child in tree[1]:
                places = frozenset().union(*(run(child, place) for place in places))
            return places
        found, places, count = frozenset(), frozenset([at]), 0
        while places and (tree[3] is None or count <= tree[3]):
            if count >= tree[2]:
                if places <= found:
                    break
                found |= places
            places = frozenset().union(*(run(tree[1], place) for place in places))
            count += 1
        return found

    return lambda at: run(tree, at)


def derived(rng: random.Random, tree: Tree, rules: dict[str, Tree], fuel: list[int]) -> str:
    fuel[0] -= 1
    if fuel[0] < 0:
        return ""
    if tree[0] == "text":
        return str(tree[1])
    if tree[0] == "set":
        return rng.choice("abc1é") if tree[2] else rng.choice(tree[1])
    if tree[0] == "rule":
        return derived(rng, rules[tree[1]], rules, fuel)
    if tree[0] == "alt":
        return derived(rng, rng.choice(tree[1]), rules, fuel)
    if tree[0] == "seq":
        return "".join(derived(rng, child, rules, fuel) for child in tree[1])
    most = tree[2] + 2 if tree[3] is None else tree[3]
    return "".join(derived(rng, tree[1], rules, fuel) for _ in range(rng.randint(tree[2], most)))


def grammar_case(rng: random.Random, count: int) -> Case:
    names = ["root", "x", "y"]
    # A rule named in a tree stands behind a letter, so that no rule is left-recursive.
    rules = {name: ("alt", [grammar_tree(rng, names), ("text", rng.choice("abc"))]) for name in names}
    text = "\n".join(f"{name} ::= {gbnf(tree)}" for name, tree in rules.items())
    documents = [damaged(rng, derived(rng, rules["root"], rules, [60])[:40], "abc1é\"\\\n")
                 for _ in range(count)]
    expected = [len(d) in ends(rules["root"], rules, d)(0) for d in documents]
    return {"kind": "grammar", "text": text}, documents, expected


# --- schemas ------------------------------------------------------------------------------------

NAMES = ["a", "b", "name", "né", "x_1", "q\"q"]


def object_schema(rng: random.Random, depth: int) -> Any:
    names = rng.sample(NAMES, rng.randint(0, 4))
    made = {"type": "object", "properties": {name: schema(rng, depth + 1) for name in names}}
    made["required"] = [name for name in names if rng.random() < 0.5]
    what = rng.random()
    if what < 0.4:
        made["additionalProperties"] = False
    elif what < 0.6:
        made["additionalProperties"] = schema(rng, depth + 1)
    if rng.random() < 0.15:
        made["patternProperties"] = {rng.choice(["^x", "e", "^[a-b]$"]): schema(rng, depth + 1)}
    if rng.random() < 0.15:
        made["maxProperties"] = rng.randint(1, 3)
    return made


def number_schema(rng: random.Random, kind: str) -> Any:
    made: dict[str, Any] = {"type": kind}
    scale = (lambda: rng.randint(-30, 30)) if kind == "integer" or rng.random() < 0.5 else (
        lambda: rng.randint(-300, 300) / rng.choice([10, 4]))
    if rng.random() < 0.5:
        made[rng.choice(["minimum", "exclusiveMinimum"])] = scale()
    if rng.random() < 0.5:
        made[rng.choice(["maximum", "exclusiveMaximum"])] = scale()
    if rng.random() < 0.2:
        made["multipleOf"] = rng.choice([2, 3, 5] if kind == "integer" else [2, 0.5, 0.25])
    return made


def string_schema(rng: random.Random) -> Any:
    made: dict[str, Any] = {"type": "string"}
    what = rng.random()
    if what < 0.4:
        made |= {"minLength": rng.randint(0, 3), "maxLength": rng.randint(2, 5)}
    elif what < 0.7:
        made["pattern"] = rng.choice(["^a", "b$", "^[a-c]{1,3}$", "é", "^.\\d", "a|^b", "^(ab)*$", "[\"\\\\]"])
        if rng.random() < 0.4:
            made["maxLength"] = rng.randint(1, 4)
    return made


def array_schema(rng: random.Random, depth: int) -> Any:
    made: dict[str, Any] = {"type": "array"}
    if rng.random() < 0.7:
        made["items"] = schema(rng, depth + 1)
    if rng.random() < 0.3:
        made["prefixItems"] = [schema(rng, depth + 1) for _ in range(rng.randint(1, 2))]
    if rng.random() < 0.4:
        made["minItems"] = rng.randint(0, 2)
    if rng.random() < 0.4:
        made["maxItems"] = rng.randint(1, 3)
    return made


def schema(rng: random.Random, depth: int = 0) -> Any:
    kinds = ["integer", "number", "string", "boolean", "null", "enum", "const", "ref"]
    if depth < 3:
        kinds += ["object"] * 4 + ["array"] * 3 + ["anyOf", "allOf", "types", "any"]
    kind = rng.choice(kinds)
    if kind in ("integer", "number"):
        return number_schema(rng, kind)
    if kind == "string":
        return string_schema(rng)
    if kind == "enum":
        return {"enum": rng.sample([1, 2.5, "a", "né", None, True, [1], {"a": 1}], rng.randint(1, 4))}
    if kind == "const":
        return {"const": rng.choice(["a\n\"", 0, False, "né", [], {"b": [None]}])}
    if kind == "ref":
        return {"$ref": "#/$defs/" + rng.choice(["leaf", "tree"])}
    if kind == "array":
        return array_schema(rng, depth)
    if kind == "object":
        return object_schema(rng, depth)
    if kind == "anyOf":
        return {"anyOf": [schema(rng, depth + 1) for _ in range(rng.randint(2, 3))]}
    if kind == "allOf":
        one = schema(rng, depth + 1)
        return {"allOf": [one, rng.choice([one, True, {"minLength": 1}, {"minimum": 0}, schema(rng, depth + 1)])]}
    if kind == "types":
        return {"type": rng.sample(["integer", "string", "null", "array"], 2)}
    return True


DEFS = {
    "leaf": {"type": ["string", "null"], "maxLength": 2},
    "tree": {"type": "object", "properties": {"v": {"type": "integer"},
                                              "c": {"type": "array", "items": {"$ref": "#/$defs/tree"}, "maxItems": 2}},
             "required": ["v"], "additionalProperties": False},
}


def value(rng: random.Random, of: Any, depth: int = 0) -> Any:
    """A value that follows a schema, or nearly."""
    if rng.random() < 0.08 or of is True or of is False or depth > 8:
        return rng.choice([0, -3, 7, 12.5, 0.25, "", "a", "ab", "né", "b1", "\n\"", None, True, [], [1, "a"],
                           {}, {"a": 1}, {"x_1": None, "zz": [1]}])
    if "$ref" in of:
        return value(rng, DEFS[of["$ref"].rsplit("/", 1)[1]], depth + 1)
    if "enum" in of:
        return rng.choice(of["enum"])
    if "const" in of:
        return of["const"]
    for word in ("anyOf", "allOf"):
        if word in of:
            return value(rng, rng.choice(of[word]), depth + 1)
    kind = of.get("type", "any")
    if isinstance(kind, list):
        return value(rng, {"type": rng.choice(kind)} | {k: v for k, v in of.items() if k != "type"}, depth + 1)
    if kind in ("integer", "number"):
        low = of.get("minimum", of.get("exclusiveMinimum", -40))
        high = of.get("maximum", of.get("exclusiveMaximum", low + 60))
        picked = rng.choice([low, high, rng.randint(int(low) - 1, max(int(high), int(low)) + 1),
                             rng.randint(int(low) - 1, max(int(high), int(low)) + 1) + rng.choice([0.25, 0.5, 0.3])])
        return int(picked) if kind == "integer" and rng.random() < 0.95 else picked
    if kind == "string":
        # Python's $ also matches before a last line feed, ECMA's and ours does not.
        return "".join(rng.choice("aabbc1é\"\\ \n") for _ in range(rng.randint(0, 5))).rstrip("\n")
    if kind == "boolean":
        return rng.random() < 0.5
    if kind == "array":
        prefix = of.get("prefixItems", [])
        count = rng.randint(max(0, of.get("minItems", 0) - 1), of.get("maxItems", 3) + 1)
        return [value(rng, prefix[i] if i < len(prefix) else of.get("items", True), depth + 1) for i in range(count)]
    if kind == "object":
        made = {}
        for name, sub in of.get("properties", {}).items():
            if name in of.get("required", []) or rng.random() < 0.5:
                if rng.random() < 0.95:
                    made[name] = value(rng, sub, depth + 1)
        for name in rng.sample(["zz", "x2", "e", "yé"], rng.randint(0, 2)):
            if rng.random() < 0.4:
                made[name] = value(rng, of.get("additionalProperties", True), depth + 1)
        return made
    return None


def spelled_otherwise(document: Any) -> bool:
    """Whether a valid document may be refused for how it is written (docs/structured_output.md):
    an integer with a fraction, or a number under bounds with an exponent."""
    text = json.dumps(document)
    return bool(re.search(r"\d\.0(?!\d)|\de[+-]?\d", text))


def schema_case(rng: random.Random, count: int) -> Case:
    root = schema(rng)
    root = {"allOf": [root]} if root is True else dict(root)
    root["$defs"] = DEFS
    validator = jsonschema.Draft202012Validator(root)
    documents, expected = [], []
    for _ in range(count):
        document = value(rng, root)
        if spelled_otherwise(document):
            continue
        indent = rng.choice([None, None, 1])
        text = json.dumps(document, ensure_ascii=rng.random() < 0.5, indent=indent)
        if re.search(r"\s{9}", text):
            continue
        if rng.random() < 0.1:
            text = damaged(rng, text, "[]{},:\"1a ")
            try:
                document = json.loads(text, parse_constant=lambda _: 1 / 0,
                                      object_pairs_hook=_no_double)
            except (ValueError, ZeroDivisionError):
                documents.append(text)
                expected.append(False)
                continue
            if spelled_otherwise(document) or text != text.strip():
                continue
        documents.append(text)
        expected.append(validator.is_valid(document))
    return {"kind": "schema", "text": json.dumps(root)}, documents, expected


def _no_double(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


MAKERS = {"regex": regex_case, "grammar": grammar_case, "schema": schema_case}
