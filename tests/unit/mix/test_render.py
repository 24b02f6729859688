"""Rendering with a real tokenizer: the tiny one that the quick start trains."""

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.quickstart import SHIPPED, Making
from flows.recipes import TaughtRecipe
from flows.study import load_study
from tasks.checkpoint.config import TinyConfig
from tasks.checkpoint.tiny import TEMPLATE, make_tiny
from tasks.ingest.shapes import to_record
from tasks.ingest.source import columns_of, raw_rows
from tasks.mix.chat import answer_in_template, turn_end
from tasks.mix.config import PackConfig
from tasks.mix.packing import Document, pack, pack_size
from tasks.mix.render import Unfit, plain_text, render, split
from tasks.mix.tokenizer import ChatTokenizer
from tasks.rules.task import rule_records

# As DeepSeek-R1's and Qwen3's templates do: thoughts are cut out of answers, and opened for the model.
THINKING = TEMPLATE.replace("message.content }}", "message.content.split('</think>')[-1] }}").replace(
    "<|im_start|>assistant\n{%", "<|im_start|>assistant\n<think>\n{%"
)
WORDS = "the cat sat on a mat and thought of 1 2 3 fish. It was warm! Was it? Yes; very"


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("tiny")
    make_tiny(path, [WORDS] * 50, TinyConfig(vocabulary=320))
    return path


@pytest.fixture(scope="session")
def tokenizer(folder):
    return ChatTokenizer.load(folder, TEMPLATE)


def chat(question, answer):
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"row_id": "r", "text": None, "messages": messages}


def decode(folder, tokens):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder).decode(tokens)


def test_a_text_is_trained_on_as_it_stands(tokenizer, folder):
    [document] = render(
        [{"row_id": "r", "text": WORDS, "messages": None}], tokenizer, PackConfig(stage="pretrain", sequence_length=512)
    )
    assert decode(folder, document.tokens) == WORDS + "<|endoftext|>"
    assert document.loss_from == 0


def test_sft_takes_loss_on_the_answer_and_its_end_only(tokenizer, folder):
    [document] = render([chat("Was it?", "Yes 1 2")], tokenizer, PackConfig(stage="sft", sequence_length=512))
    assert decode(folder, document.tokens[document.loss_from :]) == "Yes 1 2<|im_end|>\n"
    assert decode(folder, document.tokens) == (
        "<|im_start|>user\nWas it?<|im_end|>\n<|im_start|>assistant\nYes 1 2<|im_end|>\n"
    )


@pytest.mark.parametrize("template", [TEMPLATE, THINKING])
def test_think_blocks_survive_rendering(folder, template):
    tokenizer = ChatTokenizer.load(folder, template)
    messages = chat("Was it?", "<think>\nthe cat\n</think>\n\nYes")["messages"]
    assert "<think>" not in tokenizer.chat(messages, prompt=False) or template is TEMPLATE  # the trap
    prompt, answer = answer_in_template(messages, tokenizer, turn_end(tokenizer))
    assert (prompt + answer).count("<think>") == 1
    assert "the cat\n</think>\n\nYes<|im_end|>" in answer


def test_what_does_not_fit_is_left_out_whole_with_its_reason(tokenizer):
    config = PackConfig(stage="sft", sequence_length=16)
    items = list(render([chat("Was it?", WORDS), {"row_id": "t", "text": WORDS, "messages": None}], tokenizer, config))
    assert {item.reason for item in items if isinstance(item, Unfit)} == {"longer than a sequence", "no answer"}
    assert len(items) == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.text("abc .!\n", max_size=60), max_size=8).map("\n\n".join))
def test_a_split_text_loses_nothing(tokenizer, text):
    parts = split(text, tokenizer, 12)
    assert all(0 < len(part) <= 12 for part in parts)
    assert decode_all(tokenizer, parts) == text


def decode_all(tokenizer, parts):
    tokens = [token for part in parts for token in part]
    assert tokens.pop() == tokenizer.eos
    return tokenizer._tokenizer.decode(tokens)


def test_a_long_text_splits_at_paragraphs_and_keeps_its_id(tokenizer, folder):
    text = "\n\n".join([WORDS] * 6)
    length = len(tokenizer.encode([WORDS + "\n\n"])[0]) * 2
    items = list(
        render(
            [{"row_id": "r", "text": text, "messages": None}],
            tokenizer,
            PackConfig(stage="pretrain", sequence_length=length),
        )
    )
    assert {item.row_id for item in items} == {"r"}
    assert all(isinstance(item, Document) for item in items)
    assert decode(folder, items[0].tokens) == f"{WORDS}\n\n{WORDS}\n\n"


def test_a_tokenizer_without_a_template_says_so(folder):
    tokenizer = ChatTokenizer.load(folder)
    with pytest.raises(Exception, match="no chat template"):
        tokenizer.chat([{"role": "user", "content": "x"}], prompt=True)


def test_the_shipped_data_uses_its_positions(tmp_path):
    """At least 98 % of positions hold a token, on every source of the quick start that no teacher has to make."""
    study = load_study(SHIPPED / "study.yaml")
    making = Making.model_validate(yaml.safe_load((SHIPPED / "making.yaml").read_text()))
    taught = {source.name for source in study.sources if isinstance(source.recipe, TaughtRecipe)}
    records = {source.name: list(shipped_records(source)) for source in study.sources if source.name not in taught}
    make_tiny(tmp_path, (plain_text(r) for s in study.validated for r in records[s.name]), making.model)
    tokenizer = ChatTokenizer.load(tmp_path)
    used = {}
    for name, rows in records.items():
        size = pack_size(pack(render(rows, tokenizer, study.pack), study.pack.sequence_length))
        used[name] = size.tokens / size.sequences / study.pack.sequence_length
    assert min(used.values()) >= 0.98, used


def shipped_records(source):
    if source.recipe:
        return rule_records(source.name, source.recipe)
    columns = columns_of(source.as_read)
    return (to_record(raw, source.name, columns) for raw in raw_rows(source.as_read))
