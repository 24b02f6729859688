"""A headless Chromium over its DevTools protocol: opens a file and tells what it shows, asks for and complains of."""

import base64
import json
import shutil
import subprocess
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_SECONDS = 60


def find_browser():
    """Return a Chromium's path; skip the test where there is none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed")
    return found


@contextmanager
def open_browser(folder: Path):
    """Yield a page of a browser whose profile is in `folder`; the browser ends with it."""
    from websockets.sync.client import connect

    command = [
        find_browser(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
        "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            address = next(line.split()[-1] for line in process.stderr if line.startswith("DevTools listening"))
            with connect(address, max_size=None, open_timeout=_SECONDS) as socket:
                yield Page(socket)
        finally:
            process.kill()


class Page:
    """One page. `requests` are the addresses that it asked for, `errors` what its console said is wrong."""

    def __init__(self, socket):
        self._socket, self._numbers, self._session = socket, count(1), None
        self.requests, self.errors, self._loaded = [], [], False
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    def open(self, file: Path, width: int, scheme: str):
        """Show a file at a width in CSS pixels, in a ``light`` or a ``dark`` colour scheme."""
        self.requests, self.errors, self._loaded = [], [], False
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.send("Page.navigate", url=file.as_uri())
        while not self._loaded:
            self._take()

    def evaluate(self, expression: str):
        """Return the value of a JavaScript expression in the page."""
        found = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def screenshot(self, file: Path):
        """Write a picture of the whole page."""
        shown = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shown["data"]))

    def pdf(self, file: Path):
        """Write the page as it is printed on A4."""
        printed = self.send("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, printBackground=True)
        file.write_bytes(base64.b64decode(printed["data"]))

    def send(self, method: str, **params):
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        self._socket.send(json.dumps(message | ({"sessionId": self._session} if self._session else {})))
        while (answer := self._take()).get("id") != number:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def _take(self):
        message = json.loads(self._socket.recv(timeout=_SECONDS))
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])
            case "Runtime.exceptionThrown" | "Log.entryAdded" | "Runtime.consoleAPICalled":
                self.errors.append(message["params"])
            case "Page.loadEventFired":
                self._loaded = True
        return message
