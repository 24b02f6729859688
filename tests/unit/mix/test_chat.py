"""Chat templates in the manner of well-known models', and some that our way of rendering cannot handle."""

import json

import pytest

from tasks.checkpoint.config import TinyConfig
from tasks.checkpoint.tiny import TEMPLATE, make_tiny
from tasks.core.errors import DataError
from tasks.core.rows import read_rows
from tasks.core.store import Draft
from tasks.mix.chat import ChatRefused, answer_in_template, turn_end
from tasks.mix.config import PackConfig
from tasks.mix.task import write_pack
from tasks.mix.tokenizer import ChatTokenizer

TURNS = "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"

# Each writes an answer, and prompts for one, as the templates of that name do; what else those do is left out.
KNOWN = {
    "qwen2.5": (
        "{% if messages[0].role != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
        + TEMPLATE,
        "<|im_end|>\n",
    ),
    "qwen3": (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' and loop.last %}"
        "<think>\n{{ m.content.split('</think>')[0].split('<think>')[1] if '</think>' in m.content else '' }}\n"
        "</think>\n\n{{ m.content.split('</think>')[-1].lstrip('\n') }}"
        "{% else %}{{ m.content.split('</think>')[-1].lstrip('\n') }}{% endif %}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n"
        "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}",
        "<|im_end|>\n",
    ),
    "qwen3 without thinking": (
        TEMPLATE.replace("<|im_start|>assistant\n{%", "<|im_start|>assistant\n<think>\n\n</think>\n\n{%"),
        "<|im_end|>\n",
    ),
    "llama-3": (
        "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n"
        "{{ m['content'] | trim }}<|eot_id|>{% endfor %}"
        "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}",
        "<|eot_id|>",
    ),
    "deepseek-v2": (
        "{% for m in messages %}{% if m.role == 'user' %}User: {{ m.content }}\n\n{% elif m.role == 'assistant' %}"
        "Assistant: {{ m.content }}{{ eos_token }}{% else %}{{ m.content }}\n\n{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}Assistant:{% endif %}",
        "<|endoftext|>",
    ),
    "deepseek-r1": (
        "{% for m in messages %}{% if m.role == 'user' %}<|User|>{{ m.content }}{% elif m.role == 'assistant' %}"
        "<|Assistant|>{{ m.content.split('</think>')[-1] }}<|end_of_sentence|>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|Assistant|><think>\n{% endif %}",
        "<|end_of_sentence|>",
    ),
    "deepseek-v3.1": (
        "{% for m in messages %}{% if m.role == 'user' %}<|User|>{{ m.content }}{% elif m.role == 'assistant' %}"
        "<|Assistant|></think>{{ m.content }}<|end_of_sentence|>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|Assistant|></think>{% endif %}",
        "<|end_of_sentence|>",
    ),
    # Asks for an answer by what closes the user's turn: with and without the generation prompt it is the same.
    "mistral": (
        "{{ bos_token }}{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('roles must alternate') }}{% endif %}{% if m.role == 'user' %}"
        "[INST] {{ m.content }} [/INST]{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}",
        "<|endoftext|>",
    ),
    "mistral-v7": (
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST]{{ m.content }}[/INST]"
        "{% elif m.role == 'system' %}[SYSTEM_PROMPT]{{ m.content }}[/SYSTEM_PROMPT]"
        "{% else %}{{ m.content }}{{ eos_token }}{% endif %}{% endfor %}",
        "<|endoftext|>",
    ),
    "gemma": (
        "{{ bos_token }}" + NO_SYSTEM + "{% for m in messages %}<start_of_turn>"
        "{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content | trim }}<end_of_turn>\n{% endfor %}"
        "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}",
        "<end_of_turn>\n",
    ),
    "zephyr": (
        "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content + eos_token }}\n{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}",
        "<|endoftext|>\n",
    ),
}
FAULTY = {
    "ignores add_generation_prompt": (
        TURNS,
        r"assistant\\n' between a question and its answer, but only '<\|im_end\|>\\n'",
    ),
    "prompts for another role": (
        TEMPLATE.replace("<|im_start|>assistant\n{%", "<|im_start|>bot\n{%"),
        "between a question and its answer",
    ),
    "has a channel between": (
        TEMPLATE.replace("\n{{ message", "\n{{ '<|final|>' if message.role == 'assistant' }}{{ message"),
        "between a question and its answer",
    ),
    "writes in capitals": (TEMPLATE.replace("message.content", "message.content | upper"), "as it stands"),
    "leaves answers out": ("{{ messages[-1].content if add_generation_prompt }}", "as it stands"),
    "refuses everything": ("{{ raise_exception('no') }}", "refuses even one question with its answer: no"),
    "raises something of its own": ("{{ messages[0].content + 1 }}", "refuses even one question"),
    "does not compile": ("{% for m in messages %}\n{{ m.content", "does not compile: .*line 2"),
}
CHAT = [{"role": "user", "content": "Was it?"}, {"role": "assistant", "content": "<think>\nthe cat\n</think>\n\nYes"}]
CONFIG = PackConfig(stage="sft", sequence_length=512)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("tiny")
    make_tiny(path, ["the cat sat on a mat. Was it? Yes"] * 50, TinyConfig(vocabulary=300))
    return path


@pytest.mark.parametrize("name", KNOWN)
def test_the_templates_of_known_models_are_trained_on(folder, name):
    template, end = KNOWN[name]
    tokenizer = ChatTokenizer.load(folder, template)
    assert turn_end(tokenizer) == end
    prompt, answer = answer_in_template(CHAT, tokenizer, end)
    assert prompt == tokenizer.chat(CHAT[:1], prompt=True)
    assert answer.endswith("the cat\n</think>\n\nYes" + end)


@pytest.mark.parametrize("name", FAULTY)
def test_a_template_that_cannot_be_trained_on_is_refused_by_its_fault(folder, name, tmp_path):
    template, fault = FAULTY[name]
    records = [{"row_id": "r", "text": None, "messages": CHAT}]
    with pytest.raises(DataError, match=f"(?s)the chat template .*{fault}") as caught:
        write_pack("s", records, ChatTokenizer.load(folder, template), CONFIG, Draft(tmp_path, tmp_path))
    assert "`chat_template`" in caught.value.remedy


def records(*chats):
    return [{"row_id": str(n), "text": None, "messages": messages} for n, messages in enumerate(chats)]


def test_a_chat_that_the_template_refuses_costs_its_row(folder, tmp_path):
    tokenizer = ChatTokenizer.load(folder, NO_SYSTEM + TEMPLATE)
    system = {"role": "system", "content": "Be brief."}
    draft = Draft(tmp_path / "a", tmp_path / "b")
    text = {"row_id": "text", "text": "It was.", "messages": None}
    write_pack("s", [*records(CHAT, [system, *CHAT], CHAT[1:], CHAT[:1]), text], tokenizer, CONFIG, draft)
    assert [row["row_ids"] for row in read_rows(draft.folder)] == [["0"]]
    dropped = {row["row_id"]: (row["reason"], row["detail"]) for row in read_rows(draft.folder / "dropped")}
    assert dropped["1"] == ("refused by the chat template", "System role not supported")
    assert {row_id: reason for row_id, (reason, _) in dropped.items()} == {
        "1": "refused by the chat template",
        "2": "no question",
        "3": "no answer",
        "text": "no answer",
    }
    assert draft.num_dropped == 4
    assert json.loads((draft.folder / "size.json").read_text())["samples"] == draft.num_rows == 1


def test_where_every_chat_is_refused_the_error_says_so(folder, tmp_path):
    tokenizer = ChatTokenizer.load(folder, NO_SYSTEM + TEMPLATE)
    system = {"role": "system", "content": "Be brief."}
    with pytest.raises(DataError, match=r"none of its rows .*\(2 refused by the chat template\)") as caught:
        write_pack("s", records([system, *CHAT], [system, *CHAT]), tokenizer, CONFIG, Draft(tmp_path, tmp_path))
    assert "`anneal.sequence_length`" in caught.value.remedy


def test_a_refusal_keeps_its_cause(folder):
    with pytest.raises(ChatRefused) as caught:
        ChatTokenizer.load(folder, NO_SYSTEM).chat([{"role": "system", "content": "x"}], prompt=True)
    assert type(caught.value.__cause__).__name__ == "TemplateError"
