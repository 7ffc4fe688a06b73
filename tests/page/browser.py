"""A real Chromium, by way of chromedriver: WebDriver's JSON over HTTP, and nothing else."""

import base64
import http.client
import json
import re
import shutil

from harness.children import Failed, Unavailable, must_run

PATIENCE = 60
STARTED = re.compile(r"was started successfully on port (\d+)")


class Browser:
    """One window, started with an empty profile."""

    def __init__(self, children, directory):
        chromium, driver = _program("chromium"), _program("chromedriver")
        child = children.start([driver, "--port=0"], {"TMPDIR": str(directory)}, directory, "chromedriver")
        log = directory / "chromedriver.stdout"

        def port():
            must_run(child, log)
            return STARTED.search(log.read_text(errors="replace"))

        self._port = int(children.wait_until("chromedriver to listen", port).group(1))
        arguments = [
            "--headless=new",
            "--no-sandbox",  # the run may be root's, in a container
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            "--window-size=1100,900",
            # Whatever is asked of another host fails, and is seen in the log.
            "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
            "--proxy-server=direct://",
        ]
        asked = {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": chromium, "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        session = self._send("POST", "/session", {"capabilities": {"alwaysMatch": asked}})
        self._session = f"/session/{session['sessionId']}"
        self.version = session["capabilities"]["browserVersion"]

    def end(self):
        self._send("DELETE", self._session)

    def open(self, url):
        self._ask("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """What the function's body gives back."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def log(self, kind):
        """What has come since this was last asked for."""
        return self._ask("POST", "/se/log", {"type": kind})

    def emulate(self, command, **parameters):
        """A command of the DevTools protocol's."""
        return self._ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def resize(self, width, height):
        self.emulate(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )

    def prefer(self, **features):
        named = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.emulate("Emulation.setEmulatedMedia", features=named)

    def press(self, key):
        self.emulate("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode={"Tab": 9}[key])
        self.emulate("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode={"Tab": 9}[key])

    def picture(self, path):
        """The whole page, however long."""
        taken = self.emulate("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(taken["data"]))

    def _ask(self, method, path, body=None):
        return self._send(method, self._session + path, body)

    def _send(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            value = json.loads(answer.read())["value"]
        finally:
            connection.close()
        if answer.status != 200:
            raise Failed(f"chromedriver, {method} {path}: {value['error']}: {value['message']}")
        return value


def _program(name):
    found = shutil.which(name)
    if found is None:
        raise Unavailable(f"{name} is not installed: `apt-get install chromium chromium-driver` (Debian)")
    return found
