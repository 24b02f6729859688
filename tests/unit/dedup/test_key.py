import pytest

from tasks.dedup.key import key_text

CHAT = [("system", "Be brief."), ("user", "1 + 1?"), ("assistant", "2"), ("user", "And 2 + 2?"), ("assistant", "4")]


def chat(turns):
    return {"text": None, "messages": [{"role": role, "content": content} for role, content in turns]}


@pytest.mark.parametrize(
    ("record", "question", "text"),
    [
        (chat(CHAT), "1 + 1?\nAnd 2 + 2?", "1 + 1?\n2\nAnd 2 + 2?\n4"),
        (chat([("system", "Be brief."), ("assistant", "Hello.")]), "Hello.", "Hello."),
        ({"text": "A page.", "messages": None}, "A page.", "A page."),
    ],
)
def test_the_question_is_what_users_ask_and_the_text_all_but_the_system(record, question, text):
    assert (key_text(record, "question"), key_text(record, "text")) == (question, text)
