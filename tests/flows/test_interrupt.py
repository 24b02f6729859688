"""`assay make` interrupted in the middle of its work: a teacher behind an endpoint that answers some and then hangs."""

import json
import os
import signal
import subprocess
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psutil
import pytest
import yaml
from small_study import ASSAY, ROOT, write_jsonl

pytestmark = pytest.mark.engine
MARK = "ASSAY_TEST_INTERRUPT"
QUESTIONS, ANSWERED = 24, 9


class Endpoint(ThreadingHTTPServer):
    """Answers the first requests; over all others it hangs until `heal` is set."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.lock, self.heal, self.hangs = 0, threading.Lock(), threading.Event(), threading.Event()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.asked += 1
            number = self.server.asked
        if number > ANSWERED and not self.server.heal.is_set():
            self.server.hangs.set()
            self.server.heal.wait()
            self.close_connection = True
            return
        message = {"role": "assistant", "content": f"#### {body['messages'][-1]['content'].split()[-1]}"}
        content = json.dumps({
            "id": "x", "object": "chat.completion", "created": 0, "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8},
        }).encode()  # fmt: skip
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_): ...


@pytest.fixture
def endpoint():
    with Endpoint() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.heal.set()
        server.shutdown()


def marked(mark):
    """Every process that still runs and was started, however deep, by the command."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_an_interrupted_command_leaves_no_process_and_goes_on_where_it_was(endpoint, tmp_path, number, code):
    write_jsonl(tmp_path / "asked.jsonl", [{"question": f"How much is {n}?"} for n in range(QUESTIONS)])
    recipe = {
        "kind": "distill", "questions": {"name": "asked", "file": "asked.jsonl", "columns": {"question": "question"}},
        "teacher": {"model": {"engine": "openai", "endpoint_model": "m"}, "sampling": {}, "shard_rows": 2},
        "prompt": {"samples": 1, "template": "{question}"}, "judge": {"mode": "self", "k": 1, "threshold": 0.5},
        "dedup": {"threshold": 1.0},
    }  # fmt: skip
    (tmp_path / "order.yaml").write_text(yaml.safe_dump({"name": "cut", "recipe": recipe}))
    url = f"http://127.0.0.1:{endpoint.server_port}/v1"
    runtime = {"store": str(tmp_path / "store"), "generate": {"base_url": url, "concurrency": 2}}
    (tmp_path / "runtime.yaml").write_text(yaml.safe_dump(runtime))
    mark = uuid.uuid4().hex
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    environment |= {"PREFECT_HOME": str(tmp_path / "prefect"), MARK: mark}
    command = [ASSAY, "make", tmp_path / "order.yaml", "--runtime", tmp_path / "runtime.yaml", "--json"]
    quiet = {"cwd": ROOT, "env": environment, "text": True, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}

    first = subprocess.Popen([*map(str, command)], start_new_session=True, **quiet)
    assert endpoint.hangs.wait(180), "it never came to ask"
    time.sleep(1)
    assert len(marked(mark)) > 1  # Prefect's own server at least
    if number == signal.SIGINT:  # a terminal's Ctrl-C reaches the whole process group
        os.killpg(first.pid, number)
    else:
        first.send_signal(number)
    _, said = first.communicate(timeout=30)
    assert first.returncode == code, said[-3000:]
    assert "interrupted what is done is kept; run the same command again to go on" in " ".join(said.split())
    end = time.monotonic() + 10
    while marked(mark):
        assert time.monotonic() < end, "processes are left behind"
        time.sleep(0.1)

    before = endpoint.asked
    endpoint.heal.set()
    again = subprocess.run([*map(str, command)], timeout=240, check=False, **quiet)
    assert again.returncode == 0, again.stderr[-3000:]
    [asked] = [step for step in json.loads(again.stdout)["steps"] if step["stage"] == "generate"]
    assert asked["rows"] == QUESTIONS
    assert endpoint.asked - before < QUESTIONS  # what was committed was not asked again
