"""Stand-ins for a model, run inside the driver: one knows every answer, one knows none. Never part of a real key."""

from __future__ import annotations

import json
import re
import time

import numpy as np
from opencompass.models.base import BaseModel, LMTemplateParser
from opencompass.models.base_api import APITemplateParser

CHAT = {"round": [{"role": "HUMAN", "api_role": "HUMAN"}, {"role": "BOT", "api_role": "BOT", "generate": True}]}


class GoldModel(BaseModel):
    """Writes the gold answer in the words that the benchmark asks for, and finds the gold option the likeliest."""

    right = True

    def __init__(self, folder, *, chat, dtype, device, batch_size, max_context):
        self.chat, self.max_seq_len, self.generation_kwargs = chat, 100_000, {}
        self.template_parser = APITemplateParser(CHAT) if chat else LMTemplateParser()

    def begin(self, rows, labels, on_rows):
        self.rows, self.labels, self.on_rows = rows, labels, on_rows
        self.truncated, self.tokens, self.prompts_cut, self.asked = [], [], 0, 0

    def sent(self, prompt):
        return prompt if isinstance(prompt, str) else json.dumps(prompt, ensure_ascii=False)

    def get_token_len(self, prompt):
        return len(prompt) // 4

    def generate(self, inputs, max_out_len, stopping_criteria=(), **_):
        answers = [answer(row, self.chat) if self.right else "I would rather not." for row in self.rows]
        assert len(inputs) == len(answers)
        self.truncated, self.tokens = [False] * len(answers), [len(a) for a in answers]
        self.on_rows(len(answers))
        return answers

    def get_ppl(self, inputs, mask_length=None):
        label = self.labels[self.asked]
        self.asked += 1
        golds = [letter(row) for row in self.rows]
        wrong = [self.labels[(self.labels.index(gold) + 1) % len(self.labels)] for gold in golds]
        self.on_rows(len(inputs))
        return np.array([0.0 if label == (g if self.right else w) else 1.0 for g, w in zip(golds, wrong, strict=True)])

    def answer_bits(self, pairs):
        assert all(answer for _, answer in pairs)
        return [8.0 * len(answer.encode()) for _, answer in pairs]


class WrongModel(GoldModel):
    right = False


def letter(row):
    for column in ("target", "answer", "label"):
        if column in row:
            found = re.fullmatch(r"\d+--([A-D])--[A-D]{4}", str(row[column]))
            return found.group(1) if found else str(row[column])
    raise LookupError(row)


def answer(row, chat):
    if "entry_point" in row:  # HumanEval
        return f"```python\n{row['prompt']}{row['canonical_solution']}\n```" if chat else row["canonical_solution"]
    if "code" in row:  # MBPP
        return f"```python\n{row['code']}\n```" if chat else f"[BEGIN]\n'{row['code']}'\n[DONE]"
    if "answers" in row:  # DROP
        return f"I read it.\nAnswer: {row['answers'].split('|')[0]}"
    if "answer_string" in row:  # MMLU-Pro
        return f"ANSWER: {row['answer']}" if chat else row["answer"]
    if "problem" in row:  # MATH
        boxed = row["solution"] if "boxed" in row["solution"] else f"\\boxed{{{row['solution']}}}"
        return f"So the answer is {boxed}"
    if "input" in row and "A" not in row:  # BBH
        return f"So the answer is {row['target']}."
    if "cluster" in row:  # a custom benchmark
        return row["answer"]
    gold = letter(row)
    if "gold_answer" in row or ("#### " in gold and chat):
        return f"\\boxed{{{gold.split('#### ')[-1]}}}"
    if "#### " in gold:
        return gold
    if re.fullmatch("[A-D]", gold):
        return f"答案: {gold}\nANSWER: {gold}"
    return f"The answer is \\boxed{{{gold}}}"


class SlowModel(GoldModel):
    """Takes its time, so that a test can kill it at work."""

    def generate(self, inputs, max_out_len, **others):
        time.sleep(3)
        return super().generate(inputs, max_out_len, **others)


class FailingModel(GoldModel):
    """Fails at its work, as an engine does."""

    def generate(self, inputs, max_out_len, **others):
        print("the tensor cores are on strike")
        raise RuntimeError("no tensors today")
