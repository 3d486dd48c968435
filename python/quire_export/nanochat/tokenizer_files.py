"""nanochat's tokenizer and chat format as files in Hugging Face layout."""

from pathlib import Path

from quire_export.errors import ExportError
from quire_export.package import write_json
from quire_export.ranks import Ranks, make_tokenizer

BOS, ASSISTANT_END = "<|bos|>", "<|assistant_end|>"
_MARKS = {
    "call_begin": "<|python_start|>",
    "call_end": "<|python_end|>",
    "result_begin": "<|output_start|>",
    "result_end": "<|output_end|>",
}
_REQUIRED = (BOS, "<|user_start|>", "<|user_end|>", "<|assistant_start|>", ASSISTANT_END)
_PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]++[\r\n]*"
    r"|\s*[\r\n]|\s+(?!\S)|\s+"
)
# Turns alternate, beginning with the user; a system message joins the first user message. What an
# assistant says is a text or a list of parts: text, python (a tool call) and python_output.
CHAT_TEMPLATE = """\
{%- if messages | length == 0 -%}
  {{- raise_exception('a conversation needs at least one message') -}}
{%- endif -%}
{%- set ns = namespace(first=0) -%}
{%- if messages[0]['role'] == 'system' -%}
  {%- if messages | length < 2 or messages[1]['role'] != 'user' -%}
    {{- raise_exception('a system message must be followed by a user message') -}}
  {%- endif -%}
  {%- set ns.first = 1 -%}
{%- endif -%}
{{- '<|bos|>' -}}
{%- for message in messages -%}
  {%- if loop.index0 >= ns.first -%}
    {%- set expected = 'user' if (loop.index0 - ns.first) % 2 == 0 else 'assistant' -%}
    {%- if message['role'] != expected -%}
      {{- raise_exception('messages must alternate between user and assistant') -}}
    {%- endif -%}
    {%- if expected == 'user' -%}
      {%- if message['content'] is not string -%}
        {{- raise_exception('the content of a user message must be a text') -}}
      {%- endif -%}
      {{- '<|user_start|>' -}}
      {%- if ns.first == 1 and loop.index0 == 1 -%}
        {{- messages[0]['content'] + '\\n\\n' -}}
      {%- endif -%}
      {{- message['content'] -}}
      {{- '<|user_end|>' -}}
    {%- else -%}
      {{- '<|assistant_start|>' -}}
      {%- if message['content'] is string -%}
        {{- message['content'] -}}
      {%- else -%}
        {%- for part in message['content'] -%}
          {%- if part['type'] == 'text' -%}
            {{- part['text'] -}}
          {%- elif part['type'] == 'python' -%}
            {{- '<|python_start|>' -}}{{- part['text'] -}}{{- '<|python_end|>' -}}
          {%- elif part['type'] == 'python_output' -%}
            {{- '<|output_start|>' -}}{{- part['text'] -}}{{- '<|output_end|>' -}}
          {%- else -%}
            {{- raise_exception('a part must be text, python or python_output') -}}
          {%- endif -%}
        {%- endfor -%}
      {%- endif -%}
      {{- '<|assistant_end|>' -}}
    {%- endif -%}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '<|assistant_start|>' -}}
{%- endif -%}
"""


def check_tokenizer(ranks: Ranks, vocab_size: int) -> None:
    """Refuses a tokenizer that is not nanochat's, or not this model's."""
    if ranks.size != vocab_size:
        raise ExportError(
            f"the tokenizer has {ranks.size} ids, but the model was trained with {vocab_size}; "
            "use the tokenizer of the same training run"
        )
    for token in (*_REQUIRED, *_MARKS.values()):
        if token not in ranks.specials:
            raise ExportError(
                f"tokenizer.pkl has no {token}, it is not nanochat's; use the tokenizer of the "
                "same training run"
            )
    if ranks.pattern != _PATTERN:
        raise ExportError(
            "tokenizer.pkl splits text by another pattern than nanochat's; "
            "use the tokenizer of the same training run"
        )


def tool_markers(ranks: Ranks) -> dict[str, object]:
    """model_info.json's `tool_markers`."""
    return {key: ranks.specials[token] for key, token in _MARKS.items()} | {"tool": "calculator"}


def special_ids(ranks: Ranks) -> dict[str, object]:
    """model_info.json's `special_ids`: nanochat stops at either of two tokens."""
    bos, end = ranks.specials[BOS], ranks.specials[ASSISTANT_END]
    return {"bos": bos, "eos": [end, bos], "pad": None, "unk": None}


def write_tokenizer_files(ranks: Ranks, chat: bool, folder: Path) -> None:
    """tokenizer.json and, for a chat model, how upstream's chat renders and samples."""
    tokenizer = make_tokenizer(ranks)
    for token, number in ranks.specials.items():
        if tokenizer.token_to_id(token) != number:
            raise ExportError(f"tokenizer.pkl: {token} is not in order; copy the file again")
    # Compact: the merges would otherwise take three lines each.
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": BOS,
            "eos_token": ASSISTANT_END,
            "add_bos_token": True,
            "clean_up_tokenization_spaces": False,
        },
    )
    ids = special_ids(ranks)
    generation = {"bos_token_id": ids["bos"], "eos_token_id": ids["eos"]}
    if chat:
        generation |= {"do_sample": True, "temperature": 0.6, "top_k": 50, "max_new_tokens": 256}
        (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
    write_json(folder / "generation_config.json", generation)
