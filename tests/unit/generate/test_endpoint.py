"""The endpoint's adapter against a real server on the loopback, which answers, limits, fails and talks garbage."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from tasks.core.errors import BudgetReached, EngineError, InfrastructureError, OutageError, StudyError
from tasks.core.rows import read_rows
from tasks.generate.answer import answer
from tasks.generate.config import GenerateConfig, GenerateRuntime, Sampling
from tasks.generate.endpoint import Endpoint, pause, request_seconds
from tasks.generate.openai_client import message_text
from tasks.judge.join import final_answer
from tests.unit.generate.conftest import publish

KEY = "sk-secret-of-the-test"
#: What the client's own library says where it is stopped in the middle of connecting.
pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .*try_connect:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:.*try_connect:pytest.PytestUnraisableExceptionWarning"),
]


class Server(ThreadingHTTPServer):
    """Does with each request what its text says: ``429 twice``, ``500 always``, ``garbage``, ``cut``, ...

    `away` says for how many requests, from which one on, it answers nothing but a code, a hang-up or nothing at all.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.tries, self.bodies, self.lock, self.at_once, self.most = Counter(), [], threading.Lock(), 0, 0
        self.away, self.requests, self.release = (range(0), 503), 0, threading.Event()

    def handle_error(self, request, client_address):
        """Say nothing of a client that has gone."""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        chat = self.path.endswith("/chat/completions")
        text = body["messages"][-1]["content"] if chat else body["prompt"]
        with self.server.lock:
            self.server.tries[text] += 1
            self.server.bodies.append(body)
            self.server.requests += 1
            number = self.server.requests
            self.server.at_once += 1
            self.server.most = max(self.server.most, self.server.at_once)
        time.sleep(0.01)
        try:
            numbers, how = self.server.away
            if number in numbers:
                self.be_away(how)
            else:
                self.reply(text, body, chat, self.server.tries[text])
        finally:
            with self.server.lock:
                self.server.at_once -= 1

    def be_away(self, how):
        if how == "silent":
            self.server.release.wait(30)
        if how in ("silent", "hangs up"):
            self.close_connection = True
            return self.connection.close()
        self.send(how, {"error": {"message": "away"}})

    def reply(self, text, body, chat, tried):
        if self.headers["Authorization"] != f"Bearer {KEY}":
            return self.send(401, {"error": {"message": "who are you?"}})
        if body["model"] != "served":
            return self.send(404, {"error": {"message": "no such model"}})
        if "hang" in text:
            return self.be_away("silent")
        if "400" in text:
            return self.send(400, {"error": {"message": "context length exceeded"}})
        for code in (429, 500):
            if (f"{code} twice" in text and tried < 3) or f"{code} always" in text:
                return self.send(code, {"error": {"message": "not now"}})
        if ("garbage once" in text and tried == 1) or "garbage always" in text:
            return self.send(200, b"<html>oops</html>", "text/html")
        if "broken json" in text:
            return self.send(200, b'{"choices": [', "application/json")
        if "no choices" in text:
            return self.send(200, {"id": "x", "choices": [], "usage": {}})
        made = {"index": 0, "finish_reason": "length" if "cut" in text else "stop"}
        if "filtered" in text or "abort" in text:
            made["finish_reason"] = "content_filter" if "filtered" in text else "abort"
        made |= {"message": self.message(text)} if chat else {"text": text[::-1]}
        if chat and body.get("logprobs"):
            tops = [{"token": t, "logprob": v, "bytes": None} for t, v in (("a", -0.5), ("b", -1.5))]
            made["logprobs"] = {"content": [{"token": "a", "logprob": -0.5, "bytes": None, "top_logprobs": tops}] * 2}
        self.send(200, {"id": "x", "object": "x", "created": 0, "model": "served", "choices": [made],
                        "usage": {"prompt_tokens": len(text), "completion_tokens": 3, "total_tokens": 0}})  # fmt: skip

    def message(self, text):
        thought = {"reasoning_content": "hm"} if "reason" in text else {}
        return {"role": "assistant", "content": text[::-1], **thought}

    def send(self, code, content, kind="application/json"):
        content = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("retry-after-ms", "5")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_): ...


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("TEST_ENDPOINT_KEY", KEY)
    monkeypatch.setattr("tasks.generate.openai_client._RETRY_SECONDS", 0.005)
    monkeypatch.setattr("tasks.generate.endpoint._PAUSE_SECONDS", 0.005)
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.005)
    with Server() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.release.set()
        server.shutdown()


def ask(store, server, texts, *, model="served", chat=True, opening="", sampling=None, shard_rows=4, **runtime):
    rows = [
        {"row_id": f"q{n}", "sample": 0, "prompt": None if chat else text,
         "messages": [{"role": "user", "content": text}] if chat else None}
        for n, text in enumerate(texts)
    ]  # fmt: skip
    config = GenerateConfig(
        model={"engine": "openai", "endpoint_model": model, "opening": opening},
        sampling=sampling or {"temperature": 0.5, "seed": 3},
        shard_rows=shard_rows,
    )
    options = {"base_url": server and server.url, "api_key_env": "TEST_ENDPOINT_KEY", "retries": 3} | runtime
    return answer(
        "asked", config, publish(store, rows), GenerateRuntime(**options), store, report=lambda _: None
    )  # fmt: skip


def read(store, ref):
    return list(read_rows(store.folder(ref))), list(read_rows(store.folder(ref) / "dropped"))


def test_every_request_is_answered_in_order(store, server):
    texts = [f"question {n}" for n in range(41)]
    ref = ask(store, server, texts, concurrency=8)
    rows, drops = read(store, ref)
    assert [row["text"] for row in rows] == [text[::-1] for text in texts]
    assert drops == []
    assert 1 < server.most <= 8
    assert {row["finish"] for row in rows} == {"stop"}
    assert len({body["seed"] for body in server.bodies}) == 41
    provenance = store.manifest(ref).provenance
    assert provenance["prompt_tokens"] == sum(map(len, texts))
    assert provenance["engines"]["endpoint"] == server.url
    assert KEY not in store.manifest(ref).model_dump_json()


def test_what_fails_for_a_while_is_answered_and_what_fails_for_good_is_dropped(store, server):
    texts = ["fine", "429 twice", "500 twice", "garbage once", "cut", "500 always", "garbage always", "broken json",
             "no choices", "400", "filtered", "", "abort"]  # fmt: skip
    ref = ask(store, server, texts, shard_rows=20)
    rows, drops = read(store, ref)
    assert [row["text"][::-1] for row in rows] == texts[:5]
    assert [row["finish"] for row in rows] == ["stop"] * 4 + ["length"]
    assert [(texts[int(drop["row_id"][1:])], drop["reason"]) for drop in drops] == [
        ("500 always", "endpoint error"), ("garbage always", "endpoint garbage"), ("broken json", "endpoint garbage"),
        ("no choices", "endpoint garbage"), ("400", "endpoint refused"), ("filtered", "endpoint refused"),
        ("", "empty prompt"), ("abort", "endpoint error"),
    ]  # fmt: skip
    # Four tries at once, with its shard three times over, and alone at last.
    assert server.tries["500 always"] == server.tries["garbage always"] == 4 * 4
    assert server.tries["abort"] == 4
    assert server.tries["429 twice"] == 3
    assert [server.tries[text] for text in ("fine", "400", "filtered")] == [1, 1, 1]  # nothing is paid for twice
    assert "context length exceeded" in drops[4]["detail"]
    assert "set aside after 3 tries, the last one alone" in drops[0]["detail"] and "not now" in drops[0]["detail"]
    assert store.manifest(ref).provenance["prompt_tokens"] == sum(map(len, texts[:5]))


@pytest.mark.parametrize("how", [429, 503, "hangs up"])
def test_an_endpoint_that_is_away_for_a_while_costs_no_row(store, server, how):
    """It is away for longer than the client repeats a request: all shards in hand are lost, and asked again."""
    texts = [f"question {n}" for n in range(24)]
    server.away = (range(10, 50), how)
    rows, drops = read(store, ask(store, server, texts, shard_rows=4, concurrency=8, retries=1))
    assert [row["text"] for row in rows] == [text[::-1] for text in texts]
    assert drops == []


@pytest.mark.parametrize("shard_rows", [2, 16])
def test_an_endpoint_that_stays_away_is_an_outage_and_costs_no_row(store, server, shard_rows):
    texts = [f"question {n}" for n in range(24)]
    server.away = (range(10, 10**6), 503)
    with pytest.raises(OutageError, match="not even a trivial request: endpoint error") as said:
        ask(store, server, texts, shard_rows=shard_rows, concurrency=4, retries=1)
    assert said.value.exit_code == 5
    assert "Say yes." in server.tries
    server.away = (range(0), 503)
    rows, drops = read(store, ask(store, server, texts, shard_rows=shard_rows))
    assert ([row["text"] for row in rows], drops) == ([text[::-1] for text in texts], [])


def test_a_request_that_times_out_is_not_repeated_in_silence(store, server):
    rows, drops = read(store, ask(store, server, ["fine", "hang", "well"], request_seconds=0.5, max_requeues=1))
    assert [row["text"] for row in rows] == ["enif", "llew"]
    assert [drop["reason"] for drop in drops] == ["endpoint timed out"]
    assert server.tries["hang"] == 3  # twice with its shard and once alone
    assert "no answer within 0 s (request_seconds)" in drops[0]["detail"]


def test_an_endpoint_that_hangs_takes_its_time_over_a_few_requests_only(store, server):
    server.away = (range(3, 10**6), "silent")
    began = time.monotonic()
    with pytest.raises(OutageError, match="endpoint timed out"):
        ask(store, server, [f"question {n}" for n in range(60)], shard_rows=30, concurrency=2, request_seconds=0.2,
            max_requeues=1)  # fmt: skip
    assert time.monotonic() - began < 3  # and not sixty times as long
    assert server.requests < 20


def test_a_model_that_is_gone_in_the_middle_drops_nothing(store, server):
    texts = [f"question {n}" for n in range(40)]
    for code, says in ((404, "does not know 'served'"), (401, "refuses the key"), (402, "asks for payment")):
        server.away = (range(server.requests + 10, 10**6), code)
        with pytest.raises(EngineError, match=says):
            ask(store, server, texts, concurrency=4)
    server.away = (range(0), 0)
    rows, drops = read(store, ask(store, server, texts))
    assert (len(rows), drops) == (40, [])


def test_a_full_disk_is_an_outage_and_not_a_silence(store, server, monkeypatch):
    def full(*_):
        raise OutageError("the disk is full", remedy="free space")

    monkeypatch.setattr("tasks.generate.endpoint.write_table", full)
    with pytest.raises(OutageError, match="the disk is full"):
        ask(store, server, ["hello"])


def test_a_time_out_is_long_enough_for_the_longest_answer():
    assert request_seconds(GenerateRuntime(), Sampling(max_output_tokens=32_768)) == pytest.approx(3876.8)
    assert request_seconds(GenerateRuntime(request_seconds=5), Sampling()) == 5


def test_lost_requests_wait_longer_each_time():
    assert [pause(losses) for losses in range(5)] == [0, 15, 60, 240, 240]


def test_tokens_cost_and_the_machine_that_waits_for_them_does_not(store, server):
    ref = ask(store, server, ["abcd", "ef"], prompt_price=1e6, output_price=1e6, device_price=1e9)
    provenance = store.manifest(ref).provenance
    assert (provenance["cost"], provenance["device_hours"]) == (6 + 2 * 3, 0)


def test_prompts_go_to_completions_as_they_are(store, server):
    rows, _ = read(store, ask(store, server, ["abc"], chat=False))
    assert rows[0]["text"] == "cba"
    assert server.bodies[0]["prompt"] == "abc"


def test_only_what_is_asked_for_beyond_the_protocol_is_sent(store, server):
    ask(store, server, ["plain"])
    ask(store, server, ["special"], sampling={"top_k": 20, "min_p": 0.1, "stop": ["\n"], "presence_penalty": 1.0})
    plain, special = server.bodies
    assert not {"top_k", "min_p", "repetition_penalty", "stop", "presence_penalty", "logprobs"} & set(plain)
    assert (special["top_k"], special["min_p"], special["stop"], special["presence_penalty"]) == (20, 0.1, ["\n"], 1.0)


def test_log_probabilities_come_where_they_are_asked_for(store, server):
    ((row,), _) = read(store, ask(store, server, ["hello"], sampling={"top_logprobs": 2}))
    assert row["token_logprobs"] == [-0.5, -0.5]
    assert row["top_logprobs"] == [-0.5, -1.5] * 2
    assert row["token_ids"] is None


def test_reasoning_apart_is_put_back_before_the_answer(store, server):
    (rows, _) = read(store, ask(store, server, ["reason", "plain"], opening="<think>\n"))
    assert [row["text"] for row in rows] == ["<think>\nhm\n</think>\n\nnosaer", "nialp"]


@pytest.mark.parametrize(
    ("content", "apart", "finish", "text"),
    [
        ("4", {}, "stop", "4"),  # the endpoint kept the reasoning to itself
        ("4", {"reasoning_content": None}, "stop", "4"),
        ("hm\n</think>\n4", {}, "stop", "<think>\nhm\n</think>\n4"),
        ("<think>\nhm\n</think>\n4", {}, "stop", "<think>\nhm\n</think>\n4"),
        ("4", {"reasoning": "hm"}, "stop", "<think>\nhm\n</think>\n\n4"),
        ("so fa", {}, "length", "<think>\nso fa"),
        ("<think>\nso fa", {}, "stop", "<think>\nso fa"),
        (None, {"reasoning": "so fa"}, "length", "<think>\nso fa"),
        (None, {"reasoning": "so far."}, "stop", "<think>\nso far."),
    ],
)
def test_a_thought_is_opened_where_there_is_one_and_closed_where_it_ended(content, apart, finish, text):
    said = SimpleNamespace(content=content, model_extra=apart)
    assert message_text(said, "<think>\n", finish) == text
    judged = final_answer({"text": text, "finish": finish}, needs_thinking=False)
    assert judged.answer == ("4" if "4" in text else None)


def test_an_opening_that_is_no_thought_opens_every_answer():
    said = SimpleNamespace(content="4", model_extra=None)
    assert message_text(said, "So: ", "stop") == message_text(said, "So: ", "length") == "So: 4"


def test_a_wrong_key_model_or_address_is_an_error_and_not_ten_thousand_drops(store, server, monkeypatch):
    with pytest.raises(EngineError, match="does not know 'other'"):
        ask(store, server, ["hello"], model="other")
    monkeypatch.setenv("TEST_ENDPOINT_KEY", "sk-wrong-one")
    with pytest.raises(EngineError, match="refuses the key") as refused:
        ask(store, server, ["hello"])
    assert "sk-wrong-one" not in str(refused.value)
    monkeypatch.delenv("TEST_ENDPOINT_KEY")
    with pytest.raises(StudyError, match="TEST_ENDPOINT_KEY is not set"):
        ask(store, server, ["hello"])
    with pytest.raises(StudyError, match="base_url"):
        ask(store, None, ["hello"], api_key_env=None)
    with pytest.raises(InfrastructureError, match="cannot be reached"):
        ask(store, None, ["hello"], base_url="http://127.0.0.1:9/v1", api_key_env=None, retries=0)


def test_a_whole_shard_refused_is_an_error(store, server):
    with pytest.raises(EngineError, match="context length exceeded"):
        ask(store, server, [f"400 {n}" for n in range(8)], shard_rows=8)


def test_a_cap_stops_and_a_higher_one_asks_only_the_rest(store, server):
    texts = [f"question {n:02d}" for n in range(40)]
    with pytest.raises(BudgetReached):
        ask(store, server, texts, concurrency=1, max_tokens=100)
    asked = len(server.bodies)
    assert 0 < asked < 40
    rows, _ = read(store, ask(store, server, texts, concurrency=1))
    assert [row["text"] for row in rows] == [text[::-1] for text in texts]
    assert len(server.bodies) == 40


def test_scoring_is_refused():
    config = GenerateConfig(model={"engine": "scripted", "endpoint_model": "m"}, scoring={})
    with pytest.raises(StudyError, match="does not score"):
        Endpoint(config, GenerateRuntime(), None)
