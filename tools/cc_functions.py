"""Finds the functions of a C++ file: where each begins and ends and how many parameters it has.

Reads tokens, not layout: wrapped signatures, members in class bodies and headers count as well as
what stands at column 0. A lambda belongs to the function around it. Bodies are not looked into.
"""

import re
from dataclasses import dataclass

TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<comment>//[^\n]*|/\*.*?\*/)
  | (?P<directive>^[ \t]*\#(?:[^\n\\]|\\.)*)
  | (?P<raw>(?:u8|[uUL])?R"(?P<mark>[^\s()\\]{0,16})\(.*?\)(?P=mark)")
  | (?P<text>(?:u8|[uUL])?"(?:[^"\\\n]|\\.)*")
  | (?P<number>\.?\d(?:'?[\w.]|(?<=[eEpP])[+-])*)
  | (?P<character>(?:u8|[uUL])?'(?:[^'\\\n]|\\.)+')
  | (?P<word>[A-Za-z_]\w*)
  | (?P<sign>::|->|<<|&&|\|\||[-+*/%<>=!&|^]=|\S)
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
NAME = re.compile(r"[A-Za-z_]")
OPENING = {"(": ")", "[": "]", "{": "}"}
# Words before a parenthesis that is no list of parameters.
NOT_A_NAME = {"alignas", "decltype", "noexcept", "requires", "explicit", "__attribute__", "static_assert"}
TYPE_WORDS = {"class", "struct", "union", "enum"}


class Unreadable(Exception):
    """The file's brackets do not match, so nothing can be said of its functions."""


@dataclass(frozen=True)
class Token:
    text: str
    line: int


@dataclass(frozen=True)
class Function:
    """A definition, or a declaration: then `last_line` ends its head."""

    name: str
    first_line: int
    last_line: int
    num_parameters: int
    has_body: bool

    @property
    def num_lines(self):
        return self.last_line - self.first_line + 1


def tokenize(text):
    """Tokens without blanks, comments and directives; a string is the token `""`."""
    tokens, line = [], 1
    for match in TOKEN.finditer(text):
        kind = match.lastgroup if match.lastgroup != "mark" else "raw"
        if kind in ("raw", "text", "character"):
            tokens.append(Token('""', line))
        elif kind in ("word", "number", "sign"):
            tokens.append(Token(match[0], line))
        line += match[0].count("\n")
    return tokens


def matching(tokens, begin):
    """The index of the bracket that closes the one at `begin`."""
    waiting = []
    for index in range(begin, len(tokens)):
        text = tokens[index].text
        if text in OPENING:
            waiting.append(OPENING[text])
        elif waiting and text in OPENING.values():
            if text != waiting.pop():
                raise Unreadable(f"line {tokens[index].line}: a stray {text}")
            if not waiting:
                return index
    raise Unreadable(f"line {tokens[begin].line}: {tokens[begin].text} is never closed")


def after_angle(tokens, begin):
    """The index behind the `<...>` that opens at `begin`."""
    depth, index = 0, begin
    while index < len(tokens):
        text = tokens[index].text
        if text in OPENING:
            index = matching(tokens, index)
        depth += (text == "<") - (text == ">")
        index += 1
        if depth == 0:
            return index
    raise Unreadable(f"line {tokens[begin].line}: < is never closed")


def count_parameters(tokens):
    """How many parameters stand between the parentheses."""
    if not tokens or [token.text for token in tokens] == ["void"]:
        return 0
    count, index = 1, 0
    while index < len(tokens):
        text = tokens[index].text
        if text in OPENING:
            index = matching(tokens, index)
        elif text == "<" and index > 0 and NAME.match(tokens[index - 1].text):
            index = after_angle(tokens, index) - 1
        elif text == ",":
            count += 1
        index += 1
    return count


class Head:
    """What stands before a `{` or a `;` in a class or namespace, and what it declares."""

    def __init__(self, tokens):
        self.tokens = self.without_template(tokens)
        self.name, self.parameters, self.has_colon, self.is_value = None, None, False, False
        self.read()

    @staticmethod
    def without_template(tokens):
        while tokens and tokens[0].text == "template" and len(tokens) > 1:
            tokens = tokens[after_angle(tokens, 1) :]
        return tokens

    @property
    def texts(self):
        return [token.text for token in self.tokens]

    @property
    def is_scope(self):
        texts = self.texts
        return "namespace" in texts[:2] or texts == ["extern", '""'] or self.is_class

    @property
    def is_class(self):
        return bool(self.tokens) and self.tokens[0].text in TYPE_WORDS and not self.is_enum

    @property
    def is_enum(self):
        return bool(self.tokens) and self.tokens[0].text == "enum"

    def read(self):
        index = 0
        while index < len(self.tokens):
            text = self.tokens[index].text
            if text == "operator" and self.parameters is None:
                index = self.read_operator(index)
                continue
            if text == "(":
                end = matching(self.tokens, index)
                self.read_group(index, end)
                index = end
            elif text in ("[", "{"):
                index = matching(self.tokens, index)
            elif text == "<" and index > 0 and NAME.match(self.tokens[index - 1].text):
                index = after_angle(self.tokens, index) - 1
            elif self.parameters is None and text == "=":
                self.is_value = True  # what follows is an expression
                return
            elif self.parameters is not None:
                self.has_colon = self.has_colon or text == ":"
            index += 1

    def read_group(self, begin, end):
        before = self.tokens[begin - 1].text if begin > 0 else ""
        if self.parameters is None and not self.is_value and before not in NOT_A_NAME:
            if re.match(r"[A-Za-z_>]", before):
                self.name = self.qualified_name(begin)
                self.parameters = count_parameters(self.tokens[begin + 1 : end])

    def qualified_name(self, end):
        """The name that ends before `end`, with its class: `Engine::step`."""
        parts = [self.tokens[end - 1].text]
        while end - len(parts) - 1 >= 0 and (
            self.tokens[end - len(parts) - 1].text in ("::", "~") or parts[0] == "::"
        ):
            parts.insert(0, self.tokens[end - len(parts) - 1].text)
        return "".join(parts)

    def read_operator(self, index):
        """Names an operator; its sign may be brackets or look like an assignment."""
        end = index + 1
        if self.texts[end : end + 2] == ["(", ")"]:
            end += 2
        while end < len(self.tokens) and self.tokens[end].text != "(":
            end += 1
        if end < len(self.tokens):
            close = matching(self.tokens, end)
            self.name = "".join(self.texts[index:end])
            self.parameters = count_parameters(self.tokens[end + 1 : close])
            end = close + 1
        return end

    def opens_body(self):
        """Whether a `{` here begins the function's body and no initialiser of a member."""
        if self.parameters is None or self.is_value:
            return False
        return not self.has_colon or self.tokens[-1].text in (")", "}")


def functions(text):
    """Every function that the file defines or declares outside of function bodies."""
    tokens = tokenize(text)
    found, begin, index, num_open = [], 0, 0, 0
    while index < len(tokens):
        sign = tokens[index].text
        if sign in ("(", "["):
            index = matching(tokens, index)
        elif sign == ";":
            add(found, Head(tokens[begin:index]), tokens[index].line, has_body=False)
            begin = index + 1
        elif sign == ":" and is_access(tokens[begin:index]):
            begin = index + 1
        elif sign == "}":
            if num_open == 0:
                raise Unreadable(f"line {tokens[index].line}: a stray }}")
            num_open -= 1
            begin = index + 1
        elif sign == "{":
            head = Head(tokens[begin:index])
            if head.is_scope:
                num_open += 1
                begin = index + 1
            else:
                index = matching(tokens, index)
                if head.opens_body():
                    add(found, head, tokens[index].line, has_body=True)
                    begin = index + 1
        index += 1
    if num_open:
        raise Unreadable("a class or a namespace is never closed")
    return found


def is_access(tokens):
    return [token.text for token in tokens] in (["public"], ["protected"], ["private"])


def add(found, head, last_line, has_body):
    if head.parameters is None or head.is_value or not head.tokens:
        return
    if head.tokens[0].text in ("using", "typedef", "friend", "static_assert"):
        return
    found.append(Function(head.name, head.tokens[0].line, last_line, head.parameters, has_body))
