"""Templates in the style of the published families, written for these tests, and small ones that
exercise one construct each."""

CHATML = """{%- for message in messages %}
    {%- if loop.first and message.role != 'system' %}
        {{- '<|im_start|>system\\nYou are helpful.<|im_end|>\\n' }}
    {%- endif %}
    {{- '<|im_start|>' + message['role'] + '\\n' + message['content'] | trim + '<|im_end|>' + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""

LLAMA3 = """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}{%- set tools = none %}{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}{{- "Environment: ipython\\n" }}{%- endif %}
{{- "Today Date: " + date_string + "\\n\\n" }}
{%- if tools is not none %}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("This model only supports single tool-calls at once!") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}
        {{- '{"name": "' + tool_call.name + '", ' }}
        {{- '"parameters": ' }}
        {{- tool_call.arguments | tojson }}
        {{- "}" }}
        {{- "<|eot_id|>" }}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""

QWEN3 = """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].role == 'system' %}{{- messages[0].content + '\\n\\n' }}{%- endif %}
    {{- "# Tools\\n\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools><|im_end|>\\n" }}
{%- else %}
    {%- if messages[0].role == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in content %}
                {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
                {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
            {%- endif %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index %}
            {%- if loop.last or (not loop.last and reasoning_content) %}
                {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
            {%- else %}
                {{- '<|im_start|>' + message.role + '\\n' + content }}
            {%- endif %}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {%- if message.tool_calls %}
            {%- for tool_call in message.tool_calls %}
                {%- if (loop.first and content) or (not loop.first) %}{{- '\\n' }}{%- endif %}
                {%- if tool_call.function %}{%- set tool_call = tool_call.function %}{%- endif %}
                {{- '<tool_call>\\n{"name": "' }}
                {{- tool_call.name }}
                {{- '", "arguments": ' }}
                {%- if tool_call.arguments is string %}
                    {{- tool_call.arguments }}
                {%- else %}
                    {{- tool_call.arguments | tojson }}
                {%- endif %}
                {{- '}\\n</tool_call>' }}
            {%- endfor %}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}{{- '<|im_start|>user' }}{%- endif %}
        {{- '\\n<tool_response>\\n' }}
        {{- content }}
        {{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}{{- '<|im_end|>\\n' }}{%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}
{%- endif %}"""

MISTRAL = """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{%- set ns = namespace() %}
{%- set ns.index = 0 %}
{%- for message in loop_messages %}
    {%- if not (message.role == "tool" or (message.tool_calls is defined and message.tool_calls is not none)) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
            {{- raise_exception("conversation roles must alternate user/assistant/user/assistant/...") }}
        {%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and (message == user_messages[-1]) %}
            {{- "[AVAILABLE_TOOLS] [" }}
            {%- for tool in tools %}
                {%- set tool = tool.function %}
                {{- '{"type": "function", "function": {' }}
                {%- for key, val in tool.items() if key != "return" %}
                    {%- if val is string %}
                        {{- '"' + key + '": "' + val + '"' }}
                    {%- else %}
                        {{- '"' + key + '": ' + val|tojson }}
                    {%- endif %}
                    {%- if not loop.last %}{{- ", " }}{%- endif %}
                {%- endfor %}
                {{- "}}" }}
                {%- if not loop.last %}{{- ", " }}{%- else %}{{- "]" }}{%- endif %}
            {%- endfor %}
            {{- "[/AVAILABLE_TOOLS]" }}
        {%- endif %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message.tool_calls is defined and message.tool_calls is not none %}
        {{- "[TOOL_CALLS] [" }}
        {%- for tool_call in message.tool_calls %}
            {%- set out = tool_call.function|tojson %}
            {{- out[:-1] }}
            {%- if not tool_call.id is defined or tool_call.id|length != 9 %}
                {{- raise_exception("Tool call IDs should be alphanumeric strings with length 9!") }}
            {%- endif %}
            {{- ', "id": "' + tool_call.id + '"}' }}
            {%- if not loop.last %}{{- ", " }}{%- else %}{{- "]" + eos_token }}{%- endif %}
        {%- endfor %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token}}
    {%- elif message["role"] == "tool" %}
        {{- '[TOOL_RESULTS] {"content": ' + message.content|string + "}[/TOOL_RESULTS]" }}
    {%- else %}
        {{- raise_exception("Only user and assistant roles are supported!") }}
    {%- endif %}
{%- endfor %}
"""

GEMMA = """{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set first_user_prefix = messages[0]['content'] + '

' -%}
    {%- else -%}
        {%- set first_user_prefix = messages[0]['content'][0]['text'] + '

' -%}
    {%- endif -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = "" -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") }}
    {%- endif -%}
    {%- if (message['role'] == 'assistant') -%}
        {%- set role = "model" -%}
    {%- else -%}
        {%- set role = message['role'] -%}
    {%- endif -%}
    {{ '<start_of_turn>' + role + '
' + (first_user_prefix if loop.first else "") }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}
            {%- if item['type'] == 'image' -%}
                {{ '<start_of_image>' }}
            {%- elif item['type'] == 'text' -%}
                {{ item['text'] | trim }}
            {%- endif -%}
        {%- endfor -%}
    {%- else -%}
        {{ raise_exception("Invalid content type") }}
    {%- endif -%}
    {{ '<end_of_turn>
' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{'<start_of_turn>model
'}}
{%- endif -%}
"""

PHI = """{% for message in messages %}{% if message['role'] == 'system' and 'tools' in message and message['tools'] is not none %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|tool|>' + message['tools'] + '<|/tool|>' + '<|end|>' }}{% else %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ eos_token }}{% endif %}"""

DEEPSEEK = """{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{% set ns = namespace(is_first=false, is_tool=false, system_prompt='', is_first_sp=true) %}{%- for message in messages %}{%- if message['role'] == 'system' %}{%- if ns.is_first_sp %}{% set ns.system_prompt = ns.system_prompt + message['content'] %}{% set ns.is_first_sp = false %}{%- else %}{% set ns.system_prompt = ns.system_prompt + '\\n\\n' + message['content'] %}{%- endif %}{%- endif %}{%- endfor %}{{ bos_token }}{{ ns.system_prompt }}{%- for message in messages %}{%- if message['role'] == 'user' %}{%- set ns.is_tool = false -%}{{'<｜User｜>' + message['content']}}{%- endif %}{%- if message['role'] == 'assistant' and message['tool_calls'] is defined %}{%- set ns.is_first = false %}{%- for tool in message['tool_calls'] %}{%- if not ns.is_first %}{{'<｜tool▁calls▁begin｜>' + tool['type'] + '<｜tool▁sep｜>' + tool['function']['name'] + '\\n' + '```json' + '\\n' + tool['function']['arguments']|tojson + '\\n' + '```'}}{%- set ns.is_first = true -%}{%- else %}{{'\\n' + tool['function']['name']}}{%- endif %}{%- endfor %}{%- endif %}{%- if message['role'] == 'assistant' and message['tool_calls'] is not defined %}{% set content = message['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}{{'<｜Assistant｜>' + content + '<｜end▁of▁sentence｜>'}}{%- endif %}{%- if message['role'] == 'tool' %}{%- set ns.is_tool = true -%}{{'<｜tool▁output▁begin｜>' + message['content'] + '<｜tool▁output▁end｜>'}}{%- endif %}{%- endfor -%}{% if add_generation_prompt and not ns.is_tool %}{{'<｜Assistant｜>'}}{% endif %}"""

NANOCHAT = """{{ bos_token }}{% for message in messages %}{% if message.role == 'user' %}<|user_start|>{{ message.content }}<|user_end|>{% elif message.role == 'assistant' %}<|assistant_start|>{% generation %}{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}{% if part.type == 'python' %}<|python_start|>{{ part.text }}<|python_end|>{% else %}{{ part.text }}{% endif %}{% endfor %}{% endif %}<|assistant_end|>{% endgeneration %}{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant_start|>{% endif %}"""

SMOLLM3 = """{# defaults #}
{%- if enable_thinking is not defined -%}
{%- set enable_thinking = true -%}
{%- endif -%}
{# reasoning mode #}
{%- set reasoning_mode = "/think" if enable_thinking else "/no_think" -%}
{{- "<|im_start|>system\\n" -}}
{%- if messages[0].role == "system" -%}
  {%- set system_message = messages[0].content -%}
  {%- if "/no_think" in system_message -%}
    {%- set reasoning_mode = "/no_think" -%}
  {%- endif -%}
  {%- set custom_instructions = system_message.replace("/no_think", "").replace("/think", "").rstrip() -%}
{%- endif -%}
{%- set today = strftime_now("%d %B %Y") -%}
{{- "Today Date: " ~ today ~ "\\n" -}}
{{- "Reasoning Mode: " + reasoning_mode + "\\n\\n" -}}
{%- if custom_instructions -%}{{- custom_instructions + "\\n\\n" -}}{%- endif -%}
{%- macro render_tool(tool, level=0, prefix='- ') -%}
{{ '  ' * level }}{{ prefix }}{{ tool.name | default('?') }}: {{ tool.description | default('none', true) | upper }}
{% if tool.parameters is defined and tool.parameters.properties is mapping %}
{% for key, value in tool.parameters.properties | dictsort %}
{{ render_tool({'name': key, 'description': value.description}, level + 1, prefix='* ') }}
{%- endfor %}
{% endif %}
{%- endmacro -%}
{%- for tool in tools or [] %}{{ render_tool(tool.function) }}{% endfor -%}
{{- "<|im_end|>\\n" -}}
{%- for message in messages -%}
    {%- set content = message.content if message.content is string else "" -%}
    {%- if message.role == "user" -%}
        {{ "<|im_start|>" + message.role + "\\n"  + content + "<|im_end|>\\n" }}
    {%- elif message.role == "assistant" -%}
        {% generation %}
        {{ "<|im_start|>assistant\\n" + content.lstrip("\\n") + "<|im_end|>\\n" }}
        {% endgeneration %}
    {%- elif message.role == "tool" -%}
    {{ "<|im_start|>" + "user\\n"  + content + "<|im_end|>\\n" }}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{ "<|im_start|>assistant\\n" if reasoning_mode == "/think" else "<|im_start|>assistant\\n<think>\\n\\n</think>\\n" }}
{%- endif -%}
"""

FAMILIES = {
    "chatml": CHATML,
    "llama3": LLAMA3,
    "qwen3": QWEN3,
    "mistral": MISTRAL,
    "gemma": GEMMA,
    "phi": PHI,
    "deepseek": DEEPSEEK,
    "nanochat": NANOCHAT,
    "smollm3": SMOLLM3,
}

# Each is rendered with the conversations as well, so that they may use `messages`.
CONSTRUCTS = [
    "plain text {not a tag} { { % }",
    "a\n{% if true %}\n  b\n{% endif %}\nc\n",
    "a\n  {%- if true -%}  \n  b  {%+ endif %}\nc\n\n",
    "  {# comment #}\n x {#- c -#} \n y {# z #} w\n",
    "\n   {% set x = 1 %}   \n{{ x }}\n\n",
    "  {{- 1 -}}  {{ 2 }}  {{+3}} \n",
    "{% raw %}{{ x }} {% if %}{% endraw %}\n  {%- raw -%}  a  {%- endraw -%}  b",
    "{{ 'a' 'b' \"c\\n\\t\\x41\\u00e9\\\\ \\q\" }}",
    "{{ 1 }}{{ 1.0 }}{{ 1e20 }}{{ 0.1 + 0.2 }}{{ 1_000 }}{{ 1e-7 }}{{ 123456789.0 * 10 }}{{ -0.0 }}",
    "{{ true }}{{ False }}{{ none }}{{ [1, 'a', none, true, 1.5] }}{{ (1,) }}{{ {'a': {'b': \"it's\"}} }}",
    "{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }}",
    "{{ 1 + 2 * 3 - 4 }} {{ (1 + 2) * 3 }} {{ 1 ~ 2 ~ 'x' }} {{ 1 + 2 ~ 3 }} {{ -2 ** 2 }} {{ 2 ** 3 ** 2 }}",
    "{{ 'ab' * 3 }} {{ 2 * 'x' }} {{ [1] * 2 }} {{ [1] + [2] }} {{ 'a' * -1 }}|",
    "{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1.0 }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ 1 != 2 }} {{ not 1 == 2 }}",
    "{{ 1 in [1, 2] }} {{ 3 not in [1, 2] }} {{ 'a' in 'cat' }} {{ 'k' in {'k': 1} }} {{ x in y }}",
    "{{ 1 and 0 }} {{ 0 or 'x' }} {{ not '' }} {{ '' or none }} {{ 1 and 2 and 3 }} {{ 'a' if false else 'b' }} {{ 'a' if false }}|",
    "{{ x is defined }} {{ messages is defined }} {{ x is not defined }} {{ 1 is odd }} {{ 4 is divisibleby 2 }} {{ 4 is divisibleby(3) }}",
    "{% for v in [1, 1.5, 'a', true, none, [1], {'a': 1}, (1,), x] %}{{ v is string }}{{ v is number }}{{ v is integer }}{{ v is float }}{{ v is boolean }}{{ v is none }}{{ v is mapping }}{{ v is sequence }}{{ v is iterable }}{{ v is true }}{{ v is callable }};{% endfor %}",
    "{{ 1 is eq 1 }}{{ 1 is ne 1 }}{{ 1 is lt 2 }}{{ 2 is ge 2 }}{{ 'a' is in 'abc' }}{{ 'a' is lower }}{{ 'A' is upper }}{{ 1 is sameas 1 }}",
    "{% for i in range(5) %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('a', 'b') }}{{ loop.changed(i // 2) }}{{ loop.depth }}\n{% endfor %}",
    "{% for i in range(3) %}{{ i }}{% else %}none{% endfor %}{% for i in [] %}{{ i }}{% else %}none{% endfor %}{% for i in x %}{% else %}undef{% endfor %}",
    "{% for i in range(10) if i is odd %}{{ loop.index }}:{{ i }} {% endfor %}",
    "{% for i in range(10) %}{% if i == 2 %}{% continue %}{% endif %}{% if i > 4 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }},{% endfor %}{% for (a, b) in [(1, 2), [3, 4]] %}{{ a + b }}{% endfor %}",
    "{% for c in 'añ日' %}[{{ c }}]{% endfor %}{% for k in {'x': 1} %}{{ k }}{% endfor %}",
    "{% set x = 1 %}{% for i in range(3) %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}",
    "{% set ns = namespace(n=0, m='a') %}{% for i in range(4) %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}{{ ns.m }}{{ ns.zz }}{{ ns['n'] }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set c = 1, 2 %}{{ c }}{% if true %}{% set d = 5 %}{% endif %}{{ d }}",
    "{% set t %}  x {{ 1 + 1 }} {% endset %}[{{ t }}]{% set u | upper | trim %} abc {% endset %}[{{ u }}]",
    "{% macro f(a, b=2, c='x') %}{{ a }}-{{ b }}-{{ c }}{% endmacro %}{{ f(1) }} {{ f(1, 3) }} {{ f(1, c='y') }} {{ f() }} {{ f(a=4) | upper }}",
    "{% macro tree(n) %}{{ n }}{% if n > 0 %}({{ tree(n - 1) }},{{ tree(n - 2) }}){% endif %}{% endmacro %}{{ tree(5) }}",
    "{% macro box(t) %}<{{ t }}:{{ caller() }}>{% endmacro %}{% call box('a') %}in{{ 1 }}{% endcall %}{% macro b2() %}{{ caller(1, 2) }}{% endmacro %}{% call(x, y) b2() %}{{ x + y }}{% endcall %}",
    "{% macro m() %}{{ g }}{% endmacro %}{% set g = 1 %}{{ m() }}{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a }}",
    "{% filter upper | trim %} abc {% for i in [1] %}x{% endfor %} {% endfilter %}",
    "{% if 0 %}a{% elif '' %}b{% elif [0] %}c{% else %}d{% endif %}{% if not x %}e{% endif %}",
    "{{ 'hello'[1] }}{{ 'hello'[-1] }}{{ 'hello'[1:3] }}{{ 'hello'[::-1] }}{{ 'hello'[-3:] }}{{ 'hello'[:100] }}{{ 'añ日本'[1:3] }}{{ [1,2,3][1:] }}{{ [1,2,3][::-2] }}{{ (1,2,3)[0:1] }}{{ 'abc'[9] }}|{{ [1][5] }}|{{ [1,2].1 }}",
    "{{ {'a': 1}.a }}{{ {'a': 1}['a'] }}{{ {'a': 1}.b }}|{{ {'items': 3}['items'] }}{{ {1: 'x', none: 'y'}[1] }}{{ {'a': 1}.get('b', 5) }}{{ {'a': 1}.get('c') }}",
    "{{ {'a': 1, 'b': 2}.keys() | list }}{{ {'a': 1}.values() | list }}{{ {'a': 1} | items | list }}{{ {'b': 1, 'A': 2} | dictsort }}{{ {'b': 1, 'a': 2} | dictsort(by='value', reverse=true) }}",
    "{{ ' a b  c '.split() }}{{ 'a,b,,c'.split(',') }}{{ 'a,b,c'.split(',', 1) }}{{ 'a,b,c'.rsplit(',', 1) }}{{ ' a  b c'.split(none, 1) }}{{ 'a\nb\r\nc'.splitlines() }}",
    "[{{ '  x '.strip() }}{{ 'xxaxx'.strip('x') }}{{ ' a '.lstrip() }}|{{ ' a '.rstrip() }}|{{ '\u3000a\x1c'.strip() }}]",
    "{{ 'abc'.startswith('a') }}{{ 'abc'.endswith(('x', 'c')) }}{{ 'aXbX'.replace('X', '-') }}{{ 'aXbX'.replace('X', '-', 1) }}{{ 'abc'.find('c') }}{{ 'abc'.find('z') }}{{ 'añb'.find('b') }}{{ 'abab'.count('ab') }}",
    "{{ 'hello wORLD'.title() }}{{ 'hELLO'.capitalize() }}{{ 'Ünï'.upper() }}{{ 'ÀÉ'.lower() }}{{ 'straße'.upper() }}{{ 'ab1'.isdigit() }}{{ '12'.isdigit() }}{{ 'a b'.partition(' ') }}{{ '-'.join(['a', 'b']) }}",
    "{{ '<{}|{{x}}|{}>'.format('a', 1) }}{{ '{1}{0}'.format('a', none) }}{{ '{n}'.format(n=1.5) }}{{ ''.format() }}{{ '{}'.format() }}",
    "{{ messages | tojson(ensure_ascii=True) }}{{ messages | tojson(separators=(',', ':')) }}{{ [1, 2] | tojson(indent=2, separators=(';', '=')) }}",
    "{{ none | selectattr('a') | list }}{{ none | map('upper') | list }}{{ '' | reject('odd') | list }}{{ x | rejectattr('a') | list | length }}",
    "{{ 'abc'.removeprefix('a') }}{{ 'abc'.removesuffix('bc') }}{{ 'abc'.rfind('b') }}{{ 'a-b-c'.rpartition('-') }}{{ ''.isspace() }}{{ ' '.isspace() }}",
    "[{{ ' x ' | trim }}]{{ 'abc' | length }}{{ 'añ日' | count }}{{ [1, 2] | length }}{{ x | length }}{{ 'a' | upper }}{{ 'ab cd' | title }}{{ 'ab' | capitalize }}{{ 'A' | lower }}",
    "{{ x | default('d') }}{{ '' | default('d') }}{{ '' | default('d', true) }}{{ none | d('e') }}{{ x | default }}|{{ false | default('z', boolean=true) }}",
    "{{ [1, 2, 3] | join(',') }}{{ ['a', 1, none] | join }}{{ [{'a': 1}, {'a': 2}] | join('-', attribute='a') }}{{ 'abc' | join('.') }}",
    "{{ [3, 1, 2] | sort }}{{ ['b', 'A', 'c'] | sort }}{{ ['b', 'A'] | sort(case_sensitive=true) }}{{ [1, 2] | sort(reverse=true) }}{{ [{'n': 2}, {'n': 1}] | sort(attribute='n') }}{{ [1, 2, 1] | unique | list }}",
    "{{ [1, 2, 3] | sum }}{{ [1, 5, 2] | max }}{{ [4, 2] | min }}{{ [1, 2, 3] | first }}{{ 'abc' | last }}{{ [] | first }}|{{ 'abc' | reverse }}{{ [1, 2] | reverse | list }}{{ [1, 2, 3] | batch(2) | list }}",
    "{{ [{'a': 1, 'b': {'c': 2}}, {'a': 3}] | map(attribute='a') | list }}{{ [{'b': {'c': 2}}] | map(attribute='b.c') | list }}{{ [{}] | map(attribute='a', default=9) | list }}{{ ['a', 'b'] | map('upper') | list }}{{ ['a'] | map('replace', 'a', 'z') | list }}",
    "{{ range(6) | select('odd') | list }}{{ range(6) | reject('odd') | list }}{{ [0, 1, ''] | select | list }}{{ [1, 5] | select('gt', 2) | list }}{{ [1, 5] | select('>', 2) | list }}",
    "{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='role') | list }}{{ messages | rejectattr('role', 'eq', 'user') | list | length }}{{ messages | selectattr('name') | list | length }}{{ messages | selectattr('content', 'string') | list | length }}",
    "{{ '42' | int }}{{ '42.7' | int }}{{ 'x' | int }}{{ 'x' | int(7) }}{{ 3.9 | int }}{{ '1.5' | float }}{{ 'x' | float }}{{ -3 | abs }}{{ 2.567 | round(2) }}{{ 2.5 | round }}{{ 2.1 | round(method='ceil') }}{{ 12 | string ~ 'a' }}",
    "{{ 'a\nb\n\nc' | indent }}|{{ 'a\nb' | indent(2, first=true) }}|{{ 'a\n\nb' | indent(3, blank=true) }}|{{ 'a\nb' | indent('> ') }}|{{ '' | indent }}|{{ 'a\n' | indent }}|",
    "{{ {'a': [1, 2.5, none, true, \"q\\\"\\n\u00e9\"], 'b': {}} | tojson }}{{ [] | tojson }}{{ {'a': [1, {'b': 2}], 'c': {}} | tojson(indent=2) }}{{ '<b>&\\'' | tojson }}{{ {'b': 1, 'a': 2} | tojson(sort_keys=true) }}{{ (1, 2) | tojson }}",
    "{{ '%s and %d%%' % ('a', 3) }}{{ '%s' % 'x' }}{{ '%s-%s' | format('a', 1) }}{{ '<a&b>' | e }}{{ '<a>' | safe }}{{ 'a b c' | wordcount }}",
    "{{ messages | tojson }}",
    "{{ messages }}",
    "{% for m in messages %}{{ m.content | upper if m.content is string else m.content | length }}{{ m['role'][0] }}{{ m.name }}{% endfor %}",
    "{{ messages[0].__class__ }}{{ ''.__class__ }}{{ messages.__len__ }}",
    "{{ range(3) | list }}{{ range(1, 10, 3) | list }}{{ range(5, 0, -2) | list }}{{ dict(a=1, b=2) }}",
    "{{ strftime_now('%Y-%m-%d %H:%M') }}",
    "{{ (messages | last).role }}{{ messages[-1]['role'] ~ loop }}{{ messages | map(attribute='role') | join(', ') }}",
    "{{ 'a' ~ none ~ 1.0 ~ true ~ [1] }}{{ [] ~ {} }}{{ '' is none }}{{ none == none }}{{ x == y }}",
    "{% for a in [1, 2] %}{% for b in [3, 4] %}{{ loop.index }}{{ a * b }} {% if b == 3 %}{% continue %}{% endif %}{% endfor %}{{ loop.index }};{% endfor %}",
    "{{ {'a': 1,} }}{{ [1, 2,] }}{{ (1, 2,) }}{{ () }}",
    "{{ 'x' if messages and messages[0].role == 'user' and (messages[0].content is string) else 'y' }}",
    # What fails in the reference must fail here.
    "{{ x.y }}",
    "{{ x + 1 }}",
    "{{ 1 + 'a' }}",
    "{{ 'a' + 1 }}",
    "{{ 1 / 0 }}",
    "{{ none.x.y }}",
    "{{ [1].append(2) }}",
    "{{ {}.update({'a': 1}) }}",
    "{{ raise_exception('no ' ~ 'way') }}",
    "{{ nosuch() }}",
    "{{ 1 | nosuch }}",
    "{{ 1 is nosuch }}",
    "{% for a, b in [(1, 2, 3)] %}{% endfor %}",
    "{% set messages.x = 1 %}",
    "{% for i in 5 %}{% endfor %}",
    "{{ 1 < 'a' }}",
    "{{ range(200000) | list }}",
    "{% if %}{% endif %}",
    "{% endif %}",
    "{{ 1",
    "{% for x in y %}",
    "{{ 'a }}",
    "{% nosuch %}",
    "{{ a b }}",
    "{# x",
    "{{ '' .__class__.__mro__ }}",
    "{{ messages[0].content.format }}" + "{{ x() }}",
]
