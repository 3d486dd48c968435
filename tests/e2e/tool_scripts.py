"""Tools of a request, and what the scripted model says to them."""

from typing import Any

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}},
                       "required": ["city"]},
    },
}
CLOCK = {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object"}}}
QUESTION: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
MARKERS = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "</think>")
SCRIPTS = {
    "<|talk|>": ["Hello", " there."],
    "<|call|>": ["I look.\n", "<tool_call>\n{\"name\": \"get_wea", "ther\", \"argum",
                 "ents\": {\"city\": \"Par", "is\"}", "}\n</tool", "_call>"],
    "<|done|>": ["It is", " 21 degrees."],
    "<|two|>": ["<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Rome\"",
                "}}\n</tool_call>", "\n<tool_call>{\"name\": \"get_time\"", "}</tool_call>\n"],
    "<|broken|>": ["Well: ", "<tool_call>\n{\"name\": \"get_weather\", ", "\"arguments\": {\"city\": ",
                   "Oslo", "}}</tool_call>!"],
    "<|unknown|>": ["<tool_call>{\"name\": \"rm\", ", "\"arguments\": {}}", "</tool_call> "],
    "<|cut|>": ["<tool_call>{\"name\": \"get_time\", \"arguments\": {\"x\": [1", ", 2, 3"],
    "<|think|>": ["<think>Hm", "m, the", " weather.</think>\n\n", "<tool_call>{\"name\": \"get_t",
                  "ime\", \"arguments\": {}}</tool_call>\n\n"],
    "<|ponder|>": ["<think>", "One. ", "Two. ", "Three. ", "Four. "],
    "</think>": ["\n\nSo it is."],
    # What comes behind the beginning of a call that a request forces.
    ":": [" {\"city\": \"Bern", "\"}}"],
    "\"": ["get_time\", \"arguments\": {}}"],
}
