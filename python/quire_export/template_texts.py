"""What a chat template writes itself: the markers of turns and tools, special or not."""

import jinja2


def own_texts(source: str) -> list[str]:
    """The texts and string literals of a template; of one that is no Jinja, all of it."""
    try:
        tokens = list(jinja2.Environment(autoescape=True).lex(source))
    except jinja2.TemplateError:
        return [source]
    found = [value for _, kind, value in tokens if kind == "data"]
    return found + [_unquoted(value) for _, kind, value in tokens if kind == "string"]


def _unquoted(literal: str) -> str:
    inner = literal[1:-1]
    try:
        return inner.encode("ascii", "backslashreplace").decode("unicode-escape")
    except UnicodeDecodeError:
        return inner


def written(tokens: list[str], texts: list[str]) -> set[str]:
    """The tokens that some text has; one character or blanks are no marker, but text."""
    return {
        token
        for token in tokens
        if len(token) > 1 and token.strip() and any(token in text for text in texts)
    }
