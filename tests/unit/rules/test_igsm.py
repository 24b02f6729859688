import re

import pytest

from tasks.core.identity import fingerprint
from tasks.rules.config import STAGE_VERSION, ProblemConfig, ProblemSet
from tasks.rules.igsm import bare_solution, draw_problems, worked_solution, wrong_solution
from tasks.rules.task import rule_records

CONFIG = ProblemConfig(operations={1: 1, 2: 2, 3: 1}, largest=12)


def steps(solution):
    return re.findall(r"(\d+)([+*-])(\d+)=(\d+)\.", solution)


def true(left, sign, right, value):
    left, right = int(left), int(right)
    return {"+": left + right, "-": left - right, "*": left * right}[sign] == int(value)


def test_every_step_is_true_and_the_last_one_is_the_answer():
    for problem in draw_problems(CONFIG, 300, "a"):
        found = steps(worked_solution(problem))
        assert len(found) == len(problem.quantities) - 1
        assert all(true(*step) for step in found)
        assert worked_solution(problem).endswith(f"={problem.answer}. #### {problem.answer}")
        assert all(0 <= quantity.value <= 12 for quantity in problem.quantities)


def test_a_question_can_be_solved_from_its_words_alone():
    """An independent reader of the words gets every answer."""
    for problem in draw_problems(CONFIG, 300, "b"):
        has = {}
        told, _, asked = problem.question.rpartition(". How many has ")
        for sentence in told.split(". "):
            name, rest = sentence.split(" has ")
            match rest.split():
                case ["as", one, "and", other]:
                    has[name] = has[one] + has[other]
                case [number, "times", other]:
                    has[name] = int(number) * has[other]
                case [number, "more", "than", other]:
                    has[name] = has[other] + int(number)
                case [number, "less", "than", other]:
                    has[name] = has[other] - int(number)
                case [number]:
                    has[name] = int(number)
        assert has[asked.rstrip("?")] == problem.answer


def test_problems_differ_and_are_the_seeds_own():
    one = [p.question for p in draw_problems(CONFIG, 200, "a")]
    assert len(set(one)) == 200
    assert one == [p.question for p in draw_problems(CONFIG, 200, "a")]
    assert one != [p.question for p in draw_problems(CONFIG, 200, "b")]


def test_wrong_solutions_are_wrong_and_look_alike():
    for problem in draw_problems(CONFIG, 300, "a"):
        wrong = wrong_solution(problem)
        assert not wrong.endswith(f"#### {problem.answer}")
        assert len(steps(wrong)) == len(steps(worked_solution(problem)))


@pytest.mark.parametrize("operations", [{}, {1: 0}, {2: -1}])
def test_weights_must_be_positive(operations):
    with pytest.raises(ValueError, match="operations"):
        ProblemConfig(operations=operations)


def test_the_problems_of_a_seed_are_pinned():
    """The meaning of a recipe: should this change, raise STAGE_VERSION."""
    recipe = ProblemSet(kind="igsm", problems=CONFIG, count=20, seed="a", solutions="wrong")
    rows = list(rule_records("s", recipe))
    assert (STAGE_VERSION, fingerprint(rows)[:16]) == (1, "4d9aee5bd18db457")


def test_a_bare_solution_is_the_answer_alone():
    for problem in draw_problems(CONFIG, 50, "a"):
        assert bare_solution(problem) == f"#### {problem.answer}"
