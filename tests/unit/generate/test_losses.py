"""Whatever is lost, and in whatever order: every request ends once, and no row is dropped before all its tries."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.errors import OutageError
from tasks.core.rows import read_rows
from tasks.core.store import Store
from tasks.generate.answer import answer
from tasks.generate.config import GenerateConfig, GenerateRuntime
from tasks.generate.engine import Lost
from tasks.generate.ledger import read_table
from tests.unit.generate.conftest import Scripted, prompts, publish

ROWS, REQUEUES = 7, 1
CONFIG = GenerateConfig(model={"engine": "scripted", "endpoint_model": "script"}, sampling={}, shard_rows=3)


class Losing(Scripted):
    """Loses its n-th attempt where `losses` says so."""

    def __init__(self, losses):
        super().__init__(depth=3)
        self.losses, self.lost = iter(losses), Counter()

    def wait(self, seconds):
        if self.given and next(self.losses, False):
            attempt = self.given.popleft()
            self.lost.update(row["row_id"] for row in read_table(attempt.requests))
            return [Lost(attempt, "lost by the script", True)]
        return super().wait(seconds)


@settings(max_examples=12, deadline=None)
@given(losses=st.lists(st.booleans(), max_size=40))
def test_every_request_ends_once(losses, tmp_path_factory):
    store, engine = Store(tmp_path_factory.mktemp("store")), Losing(losses)
    requests = publish(store, prompts(ROWS))

    def ask(engine):
        runtime = GenerateRuntime(max_requeues=REQUEUES)
        return answer("script", CONFIG, requests, runtime, store, report=lambda _: None, open_engine=engine)

    try:
        ref = ask(engine)
    except OutageError:
        ref = ask(Scripted())  # it drops nothing: what is left is answered
    answered = [row["row_id"] for row in read_rows(store.folder(ref))]
    dropped = [row["row_id"] for row in read_rows(store.folder(ref) / "dropped")]
    assert answered == [f"q{n}" for n in range(ROWS) if f"q{n}" not in dropped]
    assert len(dropped) == len(set(dropped))
    assert all(engine.lost[row] == REQUEUES + 2 for row in dropped)  # with its shard each time, and alone
