"""Requests as prompts: what cannot be asked, what the template writes, which seed each has."""

import pytest
from jinja2.exceptions import TemplateError

from tasks.core.errors import DataError
from tasks.generate.prompts import Unaskable, check_asks, check_fits, render, seed_of, tokens_of


class Letters:
    """A tokenizer of letters, whose template refuses a system turn."""

    chat_template = "t"

    def __init__(self, ending=""):
        self.ending = ending

    def apply_chat_template(self, messages, *, tokenize, add_generation_prompt):
        if messages[0]["role"] == "system":
            raise TemplateError("no system turn")
        text = "".join(f"[{message['content']}]" for message in messages)
        return text + ("A:" + self.ending if add_generation_prompt else "")

    def __call__(self, texts, *, add_special_tokens, verbose):
        return {"input_ids": [[0] * add_special_tokens + [ord(letter) for letter in text] for text in texts]}


def asked(content, role="user"):
    return {"messages": [{"role": role, "content": content}], "prompt": None}


def rendered(request, ending="", opening="", score=False):
    return render(request, Letters(ending), name="m", opening=opening, score=score)


def test_the_opening_closes_the_prompt_once():
    assert rendered(asked("q")) == "[q]A:"
    assert rendered(asked("q"), opening="<think>\n") == "[q]A:<think>\n"
    assert rendered(asked("q"), ending="<think>\n", opening="<think>\n") == "[q]A:<think>\n"
    assert rendered(asked("q"), opening="<think>\n", score=True) == "[q]"
    assert rendered({"messages": None, "prompt": "as it is"}, opening="<think>\n") is None


def test_messages_without_a_template_are_an_error_and_refused_ones_a_drop():
    with pytest.raises(Unaskable, match="no system turn"):
        rendered(asked("q", "system"))
    tokenizer = Letters()
    tokenizer.chat_template = None
    with pytest.raises(DataError, match="m: its tokenizer has no chat template"):
        render(asked("q"), tokenizer, name="m", opening="", score=False)


@pytest.mark.parametrize(
    "request_", [asked(" "), asked(None), {"messages": [], "prompt": None}, {"messages": None, "prompt": "\n"},
                 {"messages": None, "prompt": None}],
)  # fmt: skip
def test_what_asks_nothing_is_dropped(request_):
    with pytest.raises(Unaskable, match="empty prompt"):
        check_asks(request_)


def test_a_prompt_leaves_room_for_an_answer():
    check_fits(9, 10, score=False)
    with pytest.raises(Unaskable, match=r"the prompt has 10 tokens, the context 10"):
        check_fits(10, 10, score=False)
    with pytest.raises(Unaskable, match="single token"):
        check_fits(1, 10, score=True)


def test_special_tokens_only_where_no_template_wrote_them():
    assert tokens_of(["a"], Letters(), special=False) == [[97]]
    assert tokens_of(["a"], Letters(), special=True) == [[0, 97]]
    assert tokens_of([], Letters(), special=True) == []


def test_a_seed_is_the_requests_own():
    seeds = {seed_of(seed, row, sample) for seed in (0, 1) for row in ("a", "b") for sample in (0, 1)}
    assert len(seeds) == 8 and max(seeds) < 2**32
    assert seed_of(0, "a", 0) == seed_of(0, "a", 0)
