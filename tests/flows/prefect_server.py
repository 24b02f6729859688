"""A real Prefect server of the tests' own."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from ports import free_port


@pytest.fixture(scope="session")
def prefect_api(tmp_path_factory):
    """The environment of a Prefect server of our own; an ephemeral one would be orphaned by the kills."""
    home = tmp_path_factory.mktemp("prefect")
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    environment = os.environ | {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": url,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "OMP_NUM_THREADS": "1",
    }
    with (home / "server.log").open("w") as log:
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            _wait_for(url + "/health", server, home / "server.log")
            yield environment
        finally:
            server.terminate()
            server.wait(timeout=30)


def _wait_for(url, server, log):
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    pytest.fail(f"the Prefect server did not start: {log.read_text()[-2000:]}")
