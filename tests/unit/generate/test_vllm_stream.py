from types import SimpleNamespace

import pytest

from tasks.generate.config import Sampling, Scoring, Teacher
from tasks.generate.vllm_engine import Placement, VllmEngine
from tasks.generate.vllm_stream import Stream, is_streamed


class Engine:
    """Answers a request after as many steps as its prompt says, `places` of them at a time."""

    def __init__(self, places):
        self.places, self.waiting, self.running, self.most = places, [], {}, 0

    def add_request(self, name, prompt, _):
        self.waiting.append((name, prompt))

    def step(self):
        while self.waiting and len(self.running) < self.places:
            name, steps = self.waiting.pop(0)
            self.running[name] = steps
        self.most = max(self.most, len({name.split("-")[0] for name in self.running}))
        self.running = {name: steps - 1 for name, steps in self.running.items()}
        ended = [name for name, steps in self.running.items() if steps <= 0]
        for name in ended:
            del self.running[name]
        assert all(steps >= 0 for steps in self.running.values())
        return [SimpleNamespace(request_id=f"{name}-x1", finished=True, text=name) for name in ended]


def texts(future):
    return [output.text for output in future.result(timeout=1)[0]]


def options(count):
    return [SimpleNamespace() for _ in range(count)]


def test_answers_come_in_the_order_of_their_requests_and_attempts_share_the_engine():
    engine, finished = Engine(places=3), []
    stream = Stream(engine, lambda: finished.append(1))
    first, second = stream.put([9, 1, 4], options(3)), stream.put([1, 2], options(2))
    stream.run()
    assert texts(first) == ["0-0", "0-1", "0-2"]
    assert texts(second) == ["1-0", "1-1"]
    assert engine.most == 2
    assert len(finished) == 5


def test_what_is_put_meanwhile_is_answered_by_the_same_run():
    engine, later = Engine(places=2), []
    stream = Stream(engine, lambda: later or later.append(stream.put([1], options(1))))
    first = stream.put([1, 3], options(2))
    stream.run()
    assert texts(first) == ["0-0", "0-1"] and texts(later[0]) == ["1-0"]
    stream.run()  # nothing is left


def test_seconds_add_up_to_those_of_the_engine(monkeypatch):
    clock = iter([0.0, 3.0, 10.0])
    monkeypatch.setattr("tasks.generate.vllm_stream.time.monotonic", lambda: next(clock))
    stream = Stream(Engine(places=4), lambda: None)
    long, short = stream.put([5], options(1)), stream.put([2], options(1))
    stream.run()
    assert (short.result()[1], long.result()[1]) == (3.0, 7.0)


def test_an_engine_that_fails_tells_all_who_wait():
    engine = Engine(places=1)
    stream = Stream(engine, lambda: None)
    waiting = [stream.put([1], options(1)), stream.put([1], options(1))]
    engine.step = lambda: (_ for _ in ()).throw(RuntimeError("out of memory"))
    stream.run()
    for one in waiting:
        with pytest.raises(RuntimeError, match="out of memory"):
            one.result(timeout=1)


def test_an_attempt_that_is_not_streamed_has_the_engine_and_an_empty_cache_to_itself():
    engine, adapter, running = Engine(places=3), VllmEngine(Teacher(path="m"), Placement(False, 1, 0.5)), []
    adapter._stream = Stream(engine, lambda: None)
    adapter._llm = SimpleNamespace(reset_prefix_cache=lambda: running.append(len(engine.running)))
    waiting = [adapter._alone([2, 1], options(2)) for _ in range(3)]
    assert [texts(one) for one in waiting] == [[f"{n}-0", f"{n}-1"] for n in range(3)]
    assert running == [0, 0, 0]
    assert engine.most == 1


def test_nothing_to_ask_takes_no_engine():
    assert Stream(None, lambda: None).put([], []).result(timeout=1) == ([], 0.0)


def test_only_what_is_drawn_by_chance_is_streamed():
    assert is_streamed(Sampling(temperature=0.6))
    assert not is_streamed(Sampling(temperature=0)) and not is_streamed(Scoring())
