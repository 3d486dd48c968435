"""Filters, methods, tests and statements that jinja2 has and few templates use."""

VALUES = """{% set S = 'Hello wORLD, it is a-test (of\\tmany) things\\n\\n  next\\r\\nlast ' %}{% set U = 'ÀÉß straße ﬁ Ǆ ǅ ١٢ ² Ⅷ' %}\
{% set N = [3, 1, 2] %}{% set D = {'b': 1, 'a': {'x': [1, 2]}, 'C': None} %}\
{% set P = [{'n': 'b', 'v': 1}, {'n': 'A', 'v': 2}, {'n': 'a', 'v': 3}, {'n': 'B', 'v': 4, 'o': {'p': 5}}] %}"""

EXPRESSIONS = r"""
10|round
10|round(2)
1234|round(-2)
15|round(-1)
25|round(-1)
10|round(0, 'ceil')
10.5|round
11.5|round
2.675|round(2)
2.5|round(0, 'floor')
-2.5|round(method='ceil')
1e300|round(2)
1234.5|round(-2)
0x1f
0XfF + 0b101 + 0o17
1_000_000
12345678901234567890
-12345678901234567890
123456789012345678901234567890123456789012345
123456789012345678901234567890123456789012345 == 1
12345678901234567890 + 1
10 ** 20
10 ** 20 // 7
-(10 ** 20) % 7
10 ** 20 == 10 ** 20
10 ** 20 > 10 ** 19
9223372036854775807 + 1
(9223372036854775807 + 1) is integer
(10 ** 20)|int
(10 ** 20)|float
(10 ** 20) is odd
'{:d}'.format(3)
[10 ** 20, 2]|tojson
6.0
6
6 == 6.0
[6.0, 6]|tojson
[1, 1.0, true, 'a', none]
'0x1f'|int(base=16)
'1f'|int(0, 16)
'101'|int(base=2)
'0b11'|int(base=0)
' 12 '|int
'1_000'|int
'12.7'|int
'x'|int(5)
'inf'|float
'-Infinity'|float
'1e3'|int
'123456789012345678901'|int
'1_0.5'|float
'nan'|float
[1]|int(7)
P[0]|attr('n') is defined
P|groupby('n')|list
P|groupby('n', case_sensitive=true)|list
P|groupby('n')|map(attribute='grouper')|list
P|groupby('n')|map(attribute='list')|list
P|groupby('o.p', default=0)|length
P|map(attribute='o.p', default='-')|join(',')
'ab'.rjust(4) ~ '|' ~ 'ab'.ljust(5, '*') ~ '|' ~ 'ab'.center(5) ~ '|' ~ 'abc'.center(6, '.') ~ 'a'.center(4)
'7'.zfill(3) ~ '-7'.zfill(4) ~ '+x'.zfill(5) ~ ''.zfill(2)
'aB ß'.swapcase()
U.casefold()
U.upper()
U.lower()
U.swapcase()
'a\tbc\td'.expandtabs(4)
'a\tb'.expandtabs()
'ab\ncd\r\nef'.splitlines(true)
'ab\ncd\r\nef\x0bg'.splitlines()
'a b  c '.rsplit(none, 1)
'a b  c '.rsplit()
' a b  c '.split(none, 1)
'a,b,c'.rsplit(',', 1)
'a,b,c'.split(',', maxsplit=1)
'hello'.find('l', 3)
'hello'.find('l', -2)
'hello'.find('x')
'hello'.find('', 9)
'hello'.rfind('l', 0, 3)
'hello'.index('l')
'hello'.rindex('l')
'hello'.count('l', 3)
'hello'.count('', 1, 3)
'hello'.startswith('l', 2)
'hello'.endswith(('x', 'lo'))
'hello'.endswith('l', 0, 4)
'hello'.replace('', '-')
'hello'.replace('', '-', 2)
'hello'.replace('l', '', 1)
'a-b'.partition('-')
'a-b-c'.rpartition('-')
'abc'.removeprefix('a').removesuffix('c')
['isalpha', 'isdigit']|length
'ab'.isalpha() ~ 'é1'.isalnum() ~ '²'.isdigit() ~ '²'.isdecimal() ~ 'Ⅷ'.isnumeric() ~ '١'.isdigit()
'a b'.isspace() ~ ' \t'.isspace() ~ ''.isspace()
'a_1'.isidentifier() ~ '1a'.isidentifier() ~ 'é'.isidentifier()
'abc'.isascii() ~ 'é'.isascii() ~ ''.isascii()
'a\n'.isprintable() ~ 'a b'.isprintable()
'Hello World'.istitle() ~ 'Hello world'.istitle() ~ 'HELLO'.isupper() ~ 'a1'.islower() ~ '1'.islower()
'abc'.isalpha() and 'ABC'.isupper()
'{:>5}|{:<5}|{:^5}'.format('ab', 'cd', 'ef')
'{:*^7}'.format('ab')
'{:05d}|{:+d}|{: d}|{:x}|{:#x}|{:b}|{:o}|{:X}'.format(42, 42, 42, 255, 255, 5, 8, 255)
'{:,}|{:_}|{:,.2f}'.format(1234567, 1234567, 1234567.891)
'{:.2f}|{:.0f}|{:10.3f}|{:e}|{:.3g}|{:%}|{:g}'.format(3.14159, 2.5, 2.71828, 12345.678, 1234.5, 0.25, 1e10)
'{0}{1}{0} {a} {b[x]} {c.y}'.format(1, 2, a=3, b={'x': 4}, c={'y': 5})
'{!r} {!s} {0!r:>5}'|length
'{!r} {!s}'.format('a', 'b')
'{:5}|{:<5}|{:>5}'.format(1, 2, true)
'{:.2}'.format('abc')
'{{}} {}'.format(1)
'%s %d %5d|%-5d|%05d %.2f %5.1f %x %X %o %e %g %%' % ('a', 1, 2, 3, 4, 5.678, 6.25, 255, 255, 8, 1234.5, 0.0001)
'%(a)s %(b)03d' % {'a': 'x', 'b': 7}
'%r' % 'a'
'%s' % [1, 2]
'%5s|%-5s|' % ('a', 'b')
'%s and %s'|format(1, 'b')
'%(x)s'|format(x=1)
'%d' % 3.99
'%i' % true
'%+d' % 5
'abcdefghijklmnop'|truncate(8)
'abcdefghijklmnop'|truncate(8, true)
'foo bar baz qux'|truncate(9)
'foo bar baz qux'|truncate(11)
'foo bar baz qux'|truncate(9, true, leeway=0)
'foo bar baz qux'|truncate(9, false, '!', 0)
'foo bar'|truncate(5, false, '...', 0)
[1, 2, 3]|slice(2)|list
[1, 2, 3, 4, 5]|slice(3)|list
[1, 2, 3, 4, 5]|slice(3, 'x')|list
[1, 2, 3]|batch(2)|list
[1, 2, 3]|batch(2, '-')|list
D|pprint
{'a': 1}|pprint
'x'|pprint
[1, 'a', none]|pprint
'x y/é&?=+~'|urlencode
{'a b': 'c d', 'e': 1}|urlencode
[('a', 'b/c')]|urlencode
'<b>x</b> <!-- c --> y  &amp; z'|striptags
1|filesizeformat
100|filesizeformat
1000|filesizeformat
1024|filesizeformat(true)
123456789|filesizeformat
123456789|filesizeformat(true)
1234567890123456789|filesizeformat
{'class': 'a b', 'x': none, 'id': '<1>'}|xmlattr
{'class': 'a'}|xmlattr(false)
'ab'|center(7)
'foo bar-baz (qux) [x] {y} <z'|title
"it's john's"|title
"it's john's".title()
S|title
S|capitalize
S|wordcount
'a b'|wordcount
S|indent(2, true, true)
S|indent('> ')
S|trim
S|trim(' \nh')
'xxaxx'|trim('x')
S|upper
S|reverse
N|sort(reverse=true)
N|sort|first
P|sort(attribute='n')|map(attribute='v')|list
P|sort(attribute='n,v')|map(attribute='v')|list
P|sort(attribute='n', case_sensitive=true)|map(attribute='v')|list
P|map(attribute='n')|unique|list
P|map(attribute='n')|unique(true)|list
P|sum(attribute='v')
P|sum('v', 10)
P|max(attribute='v')
P|min(attribute='n')
P|selectattr('v', 'gt', 2)|map(attribute='n')|join
P|selectattr('o')|list|length
P|rejectattr('v', 'in', [1, 2])|map(attribute='v')|list
P|map('upper')|list
P|map(attribute='n')|map('replace', 'a', 'x')|list
N|select('odd')|list
N|reject('divisibleby', 2)|list
N|join('-')
N|last
N|min ~ N|max
D|dictsort
D|dictsort(true)
D|dictsort(false, 'key', true)
D|items|list
D|length
D|list
D|first
'abc'|first ~ 'abc'|last
'abc'|list
none|default('x') ~ '' |default('y', true) ~ nothing|default('z')
nothing|d
[1, [2, 3]]|string
'<&>"'|e
'a'|safe
[3, 1]|tojson(indent=2)
D|tojson
D|tojson(sort_keys=true)
'é'|tojson ~ 'é'|tojson(ensure_ascii=true)
[1, 2]|tojson(separators=(',', ':'))
'upper' is filter
'nope' is filter
'odd' is test
'nope' is test
1 is sameas 1
1 is number and 1.5 is float and true is boolean and 'a' is string
D is mapping and N is sequence and N is iterable
4 is divisibleby 2
4 is divisibleby(3)
1 is eq 1
2 is gt(1)
'a' is in 'abc'
none is none
x is undefined
3 is not odd
'abc'[1:] ~ 'abc'[::-1] ~ 'abc'[-1] ~ 'abc'[:2]
N[1:] + [9]
N * 2
(1, 2) + (3,)
1 if false
(1 if false) is undefined
1 < 2 < 3
1 < 2 > 3
not 1 == 2
2 ** 3 ** 2
-2 ** 2
7 // 2 ~ -7 // 2 ~ 7 % 3 ~ -7 % 3 ~ 7 / 2
7.5 // 2 ~ -7.5 % 2
1 ~ 2 ~ none ~ true
'a' 'b'
'a' * 3
3 * 'a'
[1, 2] == [1, 2] and (1,) != [1]
{'a': 1} == {'a': 1.0}
dict(a=1, b=2)
dict([('a', 1), ('b', 2)])
dict({'a': 1}, b=2)
range(5)|list
range(1, 10, 3)|list
range(5, 0, -2)|list
[1, 2, 3][true]
D.get('zz', 5) ~ D.get('b')
D.keys()|list
D.values()|list
D.copy() == D
N.count(1) ~ N.index(2)
D['a']['x'][0] ~ D.a.x[1] ~ D.a['x'] | length
'\u00e9\x41\n'
"a\"b" ~ 'a\'b'
[1, 2, 3,]
{'a': 1,}
(1)
(1,)
()
true and 'x' or 'y'
none or 0 or 'z'
1 in N and 4 not in N
'ß'.upper() ~ 'ﬁ'.upper()|length
'abc' < 'abd'
[1, 2] < [1, 3]
1.0 ~ 1e20 ~ 1e-5 ~ 1.5e300 ~ 0.1
3.0|int ~ 3|float
-1|abs
-1.5|abs
'a,b'.split(',')|map('upper')|join('+')
""" .strip("\n").split("\n")

STATEMENTS = [
    "{% for g, l in P|groupby('n') %}{{ g }}{{ l|length }};{% endfor %}",
    "{% for g in P|groupby('n') %}{{ g.grouper }}{{ g.list|length }}{{ g[0] }};{% endfor %}",
    "{% set j = joiner(', ') %}{% for x in [1,2,3] %}{{ j() }}{{ x }}{% endfor %}",
    "{% set j = joiner() %}{% for x in [1,2] %}{{ j() }}{{ x }}{% endfor %}",
    "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.next() }}{{ c.reset() or '' }}{{ c.next() }}",
    "{% macro f(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, k=4) }}",
    "{% macro f(a, b=2) %}{{ a }}{{ b }}{{ kwargs|length }}{% endmacro %}{{ f(1, b=3, k=4) }}{{ f(1) }}",
    "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}",
    "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, k=2) }}",
    "{% macro f() %}{{ varargs|join('-') }}{% endmacro %}{{ f(*[1, 2, 3]) }}",
    "{% macro f(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ f(**{'a': 1, 'b': 2}) }}{{ f(3, *[4]) }}{{ f(5, **{'b': 6}) }}",
    "{% macro f(a) %}{{ a }}{{ caller(7) }}{% endmacro %}{% call(x) f(1) %}<{{ x }}>{% endcall %}",
    "{% for x in [1] recursive %}{{ x }}{% endfor %}",
    "{% for x in [1, [2, [3]], 4] recursive %}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}@{{ loop.depth }}{{ loop.depth0 }}{% endif %}{% endfor %}",
    "{% for n in [{'v': 1, 'c': [{'v': 2, 'c': []}]}] recursive %}{{ n.v }}{% if n.c %}[{{ loop(n.c) }}]{% endif %}{% else %}none{% endfor %}",
    "{% for x in [1] %}{{ loop([2]) }}{% endfor %}",
    "{% for a, (b, c) in [(1, (2, 3)), (4, [5, 6])] %}{{ a }}{{ b }}{{ c }};{% endfor %}",
    "{% for (a, b) in [(1, 2)] %}{{ a }}{{ b }}{% endfor %}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}",
    "{% set (a, (b, c)) = (1, (2, 3)) %}{{ a }}{{ b }}{{ c }}",
    "{% set ns = namespace(x=1) %}{% for i in [1, 2] %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}",
    "{% set ns = namespace(x=1) %}{{ ns|attr('x') }}",
    "{% block b %}x{% endblock %}{% block c %}y{% endblock c %}",
    "{% for x in [1, 2, 3, 4] if x is even %}{{ loop.index }}{{ x }}{{ loop.last }}{% endfor %}",
    "{% for x in [1, 2, 3] %}{% if x == 2 %}{% continue %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in [1, 2, 3] %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in [] %}{% else %}empty{% endfor %}",
    "{% for x in [1, 1, 2] %}{{ loop.changed(x) }}{{ loop.cycle('a', 'b') }}{{ loop.previtem }}{{ loop.nextitem }}{% endfor %}",
    "{% for k, v in D.items() %}{{ k }}{% endfor %}",
    "{% for k in D %}{{ k }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.length }}{% endfor %}",
    "{% filter upper|replace('A', 'x') %}a b{% endfilter %}",
    "{% set x | upper %}abc{% endset %}{{ x }}",
    "{% with a=1, b=2 %}{{ a + b }}{% endwith %}",
    "{% raw %}{{ x }}{% endraw %}",
    "{%- if true -%}  a  {%- endif -%}",
    "{% if a is defined and a %}1{% elif N %}2{% else %}3{% endif %}",
    "{{ messages[0]['content']|length }}{{ messages|map(attribute='role')|list }}",
    "{{ messages|selectattr('role', 'equalto', 'user')|list|length }}",
    "{# comment #}{{ S.split()|length }}",
    "{{ nothing.x }}",
    "{{ nothing + 1 }}",
    "{{ [].append(1) }}",
    "{{ 'a' + 1 }}",
    "{{ S|nofilter }}",
    "{% macro m(x, y=x) %}{{ x }}{{ y }}{% endmacro %}{{ m(1) }}",
    "{{ 0o }}",
    "{{ f(a=1, 2) }}",
]  # fmt: skip
