"""A tiny teacher that was really taught: it answers one kind of question, and writes new ones like it.

Asked "Ann has 3 apples. Code?" it says "#### 4"; of pears it says "#### 9". After "Another:" it writes a new question
between <problem> tags. It learns both in a few seconds, and nothing else.
"""

import random
import subprocess
import sys
from pathlib import Path

CODES = {"apples": "#### 4", "pears": "#### 9"}
NAMES = ("Ann", "Bob", "Cal", "Dee", "Eve", "Fay")


def question(name, number, fruit):
    return f"{name} has {number} {fruit}. Code?"


def questions(count, start=0):
    """Yield (question, right answer) pairs, all different."""
    for n in range(start, start + count):
        fruit = tuple(CODES)[n % 2]
        yield question(NAMES[n % len(NAMES)], n, fruit), CODES[fruit]


def lessons(count):
    """Yield texts to train on, with questions that no test asks again."""
    dice = random.Random(0)
    for _ in range(count):
        fruit = dice.choice(tuple(CODES))
        asked = question(dice.choice(NAMES), dice.randrange(1000), fruit)
        written = question(dice.choice(NAMES), dice.randrange(1000), dice.choice(tuple(CODES)))
        yield f"{asked}\n{CODES[fruit]}" if dice.random() < 0.5 else f"{asked} Another:\n<problem>{written}</problem>"


def make_teacher(folder: Path) -> Path:
    """Train the teacher in a process of its own."""
    done = subprocess.run([sys.executable, __file__, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


def _train(folder: Path) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    from tasks.checkpoint.config import TinyConfig
    from tasks.checkpoint.tiny import TEMPLATE, make_tiny

    texts = list(lessons(3000))
    shape = TinyConfig(vocabulary=320, hidden=64, heads=2, layers=2, intermediate=128, positions=256, spread=0.08)
    make_tiny(folder, texts, shape)
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder), dtype=torch.float32)
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for step in range(300):
        batch = [text + tokenizer.eos_token for text in random.Random(step).sample(texts, 16)]
        rows = tokenizer(batch, return_tensors="pt", padding=True, padding_side="right")
        ends = rows.attention_mask.cumsum(1).eq(rows.attention_mask.sum(1, keepdim=True)) & rows.attention_mask.bool()
        labels = rows.input_ids.masked_fill(~rows.attention_mask.bool() & ~ends, -100)
        model(**rows, labels=labels).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        for group in optimiser.param_groups:
            group["lr"] = 5e-3 * (1 - step / 300)
    model.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(TEMPLATE)


if __name__ == "__main__":
    _train(Path(sys.argv[1]))
