"""Recipes that could only fail, or find nothing out, once a model was paid for are refused when they are read."""

import pytest

from flows.declared import parse
from flows.orders import Order
from tasks.core.errors import StudyError

ASKED = {"name": "asked", "file": "asked.jsonl", "columns": {"question": "question", "reference": "answer"}}
DRAWN = {"model": {"path": "teacher"}, "sampling": {"temperature": 0.6}}
GREEDY = DRAWN | {"sampling": {"temperature": 0}}
GREEDY_ENDPOINT = GREEDY | {"model": {"engine": "openai", "endpoint_model": "m"}}
SCORED = {"model": {"path": "teacher"}, "scoring": {}}
SCRIPTED = DRAWN | {"model": {"engine": "scripted", "endpoint_model": "s"}}
MAJORITY = {"mode": "self", "k": 2}
RECIPES = {
    "distill": {"questions": ASKED, "teacher": DRAWN},
    "failures": {"questions": ASKED, "model": DRAWN},
    "augment": {"seeds": ASKED, "writer": DRAWN, "solver": DRAWN},
}


def load(kind, **changes):
    return parse(Order, {"name": "made", "recipe": {"kind": kind} | RECIPES[kind] | changes}, "here").recipe


COPIES = "at 0 the {} answers to a question are one answer {} times; give a temperature above 0"
REFUSED = [
    ("distill", {"teacher": GREEDY, "judge": MAJORITY}, "recipe.distill: teacher.sampling.temperature: " + COPIES),
    ("distill", {"teacher": GREEDY_ENDPOINT, "judge": MAJORITY | {"mode": "both"}}, "teacher.sampling.temperature"),
    ("failures", {"model": GREEDY}, "recipe.failures: model.sampling.temperature: " + COPIES),
    ("augment", {"solver": GREEDY}, "recipe.augment: solver.sampling.temperature: " + COPIES),
    ("augment", {"writer": GREEDY, "similar": {"samples": 2}}, "recipe.augment: writer.sampling.temperature"),
    ("augment", {"judge": {"mode": "self", "k": 3}}, "prompt.samples: a majority of 3 needs as many answers"),
    ("augment", {"judge": {"threshold": 1.0}}, "judge.mode: a new problem has no reference; give `self`"),
    ("augment", {"keep": {"answers": "original"}}, "keep.answers: a new problem came with no answer"),
]


@pytest.mark.parametrize(("kind", "changes", "message"), REFUSED)
def test_a_recipe_that_cannot_work_says_where_and_what_to_do(kind, changes, message):
    samples = 2 if kind == "augment" else 4
    with pytest.raises(StudyError) as caught:
        load(kind, **changes)
    assert message.format(samples, samples) in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 3  # of this kind of recipe alone


MODELS = ["distill.teacher", "distill.reader", "failures.model", "augment.writer", "augment.solver"]


@pytest.mark.parametrize("model", [SCORED, SCRIPTED])
@pytest.mark.parametrize("field", MODELS)
def test_a_model_that_gives_no_answers_is_no_part_of_a_recipe(field, model):
    kind, _, name = field.partition(".")
    message = "`scoring` gives none; give `sampling`" if model is SCORED else "`scripted` is a stand-in"
    with pytest.raises(StudyError, match=f"recipe.{field}: .*{message}"):
        load(kind, **{name: model})


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("distill", {"teacher": GREEDY}),  # each answer is held against the reference; nothing is said of agreement
        ("distill", {"teacher": GREEDY, "prompt": {"samples": 1}, "judge": MAJORITY | {"k": 1}}),
        ("distill", {"reader": GREEDY}),
        ("failures", {"model": GREEDY, "prompt": {"samples": 1}, "wrong": 1}),
        ("augment", {"writer": GREEDY}),
        ("augment", {"solver": GREEDY, "judge": {"mode": "none"}}),
        ("augment", {"prompt": {"samples": 4}, "judge": MAJORITY}),
    ],
)
def test_what_is_greedy_and_asked_once_or_claims_no_agreement_is_taken(kind, changes):
    assert load(kind, **changes).kind == kind
