"""A model that says what it is told to: a Llama whose next token depends on the last one alone.

A script begins at a control token of its own, which the chat template writes behind the prompt, and
goes on piece by piece; every piece is a token of the vocabulary. So a test knows the whole answer,
through the tokenizer, the engine and the server, and nothing of them knows that it is a test.
"""

import json
from pathlib import Path

import torch
from tiny_models import make_tokenizer
from tokenizers import AddedToken
from transformers import LlamaConfig, LlamaForCausalLM

BOS, EOS = 256, 257
WIDTH = 256

# A template of Hermes' kind, which also chooses the script.
HERMES = """{{ bos_token }}{% if tools %}<|system|>{{ tools | tojson }}{{ eos_token }}{% endif %}
{%- for m in messages %}
{%- if m.role == 'assistant' %}<|assistant|>
{%- if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.content or '' }}
{%- for c in m.tool_calls or [] %}<tool_call>
{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}
</tool_call>{% endfor %}
{%- elif m.role == 'tool' %}<|user|><tool_response>{{ m.content }}</tool_response>
{%- else %}<|user|>{{ m.content }}{% endif %}{{ eos_token }}
{%- endfor %}
{%- if add_generation_prompt %}<|assistant|>
{%- if enable_thinking %}<think>{% endif %}
{%- if script is defined %}SCRIPTS
{%- elif messages[-1].role == 'tool' %}<|done|>{% elif tools %}<|call|>{% else %}<|talk|>{% endif %}
{%- endif %}"""


def make_scripted(
    folder: Path,
    scripts: dict[str, list[str]],
    template: str,
    special: tuple[str, ...] = (),
    others: tuple[str, ...] = (),
) -> Path:
    """Writes the model as a Hugging Face folder.

    `scripts`: by the token they begin at, their pieces, none of which may come twice. `special`:
    pieces that are special tokens; `others`: tokens that no script has.
    """
    folder.mkdir(parents=True)
    tokenizer = make_tokenizer()
    starts = [name for name in scripts if name.startswith("<|")]
    tokenizer.add_special_tokens(
        [AddedToken(t, normalized=False) for t in (*starts, "<|system|>", *special)])
    pieces = [piece for script in scripts.values() for piece in script]
    assert len(set(pieces)) == len(pieces), "a piece comes twice"
    tokenizer.add_tokens(
        [AddedToken(t, normalized=False) for t in (*pieces, *others) if t not in special])
    following = {}
    for name, script in scripts.items():
        chain = [name, *script, "<|eos|>"]
        for token, after in zip(chain, chain[1:], strict=False):
            following[tokenizer.token_to_id(token)] = tokenizer.token_to_id(after)
    assert None not in following and None not in following.values()
    size = tokenizer.get_vocab_size()
    config = LlamaConfig(
        vocab_size=size, hidden_size=WIDTH, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=4, num_key_value_heads=1, max_position_embeddings=2048,
        tie_word_embeddings=False, bos_token_id=BOS, eos_token_id=EOS)
    generator = torch.Generator().manual_seed(0)
    model = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        signs = torch.randint(0, 2, (size, WIDTH), generator=generator) * 2.0 - 1
        model.model.embed_tokens.weight.copy_(signs)
        model.model.layers[0].self_attn.o_proj.weight.zero_()
        model.model.layers[0].mlp.down_proj.weight.zero_()
        model.lm_head.weight.zero_()
        for token, after in following.items():
            model.lm_head.weight[after] += signs[token] / 16
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|bos|>",
        "eos_token": "<|eos|>", "clean_up_tokenization_spaces": False}))
    names = "".join(
        f"{{% if script == '{n.strip('<|>')}' %}}{n}{{% endif %}}" for n in starts)
    (folder / "chat_template.jinja").write_text(template.replace("SCRIPTS", names))
    (folder / "generation_config.json").write_text(
        json.dumps({"bos_token_id": BOS, "eos_token_id": EOS}))
    return folder
