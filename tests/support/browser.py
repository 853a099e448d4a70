# SPDX-License-Identifier: Apache-2.0
"""Headless Chromium for tests, without a network: driven over a pipe by the DevTools protocol."""
import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")


def program():
    """Its path, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """One page in a browser of its own. Use with `with`. What the page asked the network for, its errors and what it
    wrote to the console are kept."""

    def __init__(self, folder, width=1440, height=900, dark=False):
        self.profile = Path(folder) / "chromium-profile"
        self.size = (width, height)
        self.dark = dark
        self.requests, self.errors = [], []
        self.numbers = itertools.count(1)
        self.unread = b""

    def __enter__(self):
        to_read, self.to = os.pipe()
        self.fro, to_write = os.pipe()
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
                 "--disable-background-networking", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND",
                 f"--user-data-dir={self.profile}", "--window-size={},{}".format(*self.size), "--remote-debugging-pipe"]
        # The browser reads from descriptor 3 and writes to 4. First out of their way: a pipe may be one of them.
        script = f'exec 8<&{to_read} 9>&{to_write}; exec 3<&8 4>&9 8<&- 9>&-; exec "$@"'
        self.process = subprocess.Popen(["bash", "-c", script, "bash", program(), *flags, "about:blank"],
                                        pass_fds=(to_read, to_write), stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        target = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if self.dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Emulation.setDeviceMetricsOverride", width=self.size[0], height=self.size[1], deviceScaleFactor=1,
                  mobile=False)
        return self

    def __exit__(self, *unused):
        os.close(self.to)  # Ends it.
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.fro)

    session = None

    def call(self, method, **parameters):
        """The method's result."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.next_message()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def next_message(self, seconds=60):
        deadline = time.monotonic() + seconds
        while b"\0" not in self.unread:
            ready, _, _ = select.select([self.fro], [], [], max(0, deadline - time.monotonic()))
            piece = os.read(self.fro, 1 << 20) if ready else b""
            if not piece:
                raise RuntimeError("the browser went away" if ready else f"the browser said nothing for {seconds} s")
            self.unread += piece
        line, _, self.unread = self.unread.partition(b"\0")
        message = json.loads(line)
        self.note(message)
        return message

    def note(self, message):
        parameters = message.get("params", {})
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif message.get("method") == "Runtime.exceptionThrown":
            self.errors.append(parameters["exceptionDetails"].get("text", "") + str(parameters))
        elif message.get("method") == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.errors.append(parameters["entry"]["text"])
        elif message.get("method") == "Page.javascriptDialogOpening":
            self.errors.append("a dialog: " + parameters["message"])

    def open(self, path):
        self.call("Page.navigate", url=Path(path).resolve().as_uri())
        while self.evaluate("document.readyState") != "complete":
            time.sleep(0.02)

    def evaluate(self, expression):
        """The expression's value, which JSON can hold."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def place_of(self, selector):
        """The middle of the first such element, scrolled into view."""
        return self.evaluate(f"""(() => {{
            const element = document.querySelector({json.dumps(selector)});
            element.scrollIntoView({{block: 'center', inline: 'center'}});
            const box = element.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];
        }})()""")

    def mouse(self, kind, selector):
        x, y = self.place_of(selector)
        button = {"button": "left", "clickCount": 1} if kind != "mouseMoved" else {}
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    def hover(self, selector):
        self.mouse("mouseMoved", selector)

    def click(self, selector):
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.mouse(kind, selector)

    def screenshot(self, path, whole=True):
        picture = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        Path(path).write_bytes(base64.b64decode(picture["data"]))
