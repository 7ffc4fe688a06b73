"""What a person sees of one sidecar on its page, from its start to its end."""

import http.client
import json
import re
import signal
from urllib.parse import urlsplit

from browser import Browser
from harness.children import Failed, must_run
from harness.http import request
from harness.ports import free_port

OLD_GO = "aws-sdk-go/1.15.11 (go1.11; linux; amd64)"
OLD_JAVA = "aws-sdk-java/1.11.616 Linux/5.10 OpenJDK_64-Bit_Server_VM/11"
PARTNER = "arn:aws:iam::444455556666:role/partner-ingest"
ROLES = f"""roles:
  - name: default
  - name: partner
    chain:
      from: default
      steps: [{{ role_arn: "{PARTNER}" }}]
"""
# What somebody on the way might put into an answer.
MARKUP = "<img src=x onerror=alert(1)>"
# In pixels: the narrowest telephone, and the width of a desk's window.
NARROW, WIDE = 360, 1100

# WCAG 2's ratio of every text to what is behind it: at least 4.5.
CONTRAST = """
const parts = colour => colour.match(/[\\d.]+/g).map(Number);
const light = colour => { const [r, g, b] = parts(colour).slice(0, 3).map(v => v / 255)
  .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if ((parts(c)[3] ?? 1) > 0) return c; } };
return [...document.querySelectorAll('body *')].filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
  .filter(e => e.getClientRects().length).map(e => { const style = getComputedStyle(e);
    const colour = e.namespaceURI.endsWith('svg') ? style.fill : style.color, [a, b] = [light(colour), light(behind(e))];
    return [((Math.max(a, b) + .05) / (Math.min(a, b) + .05)), e.textContent.slice(0, 40)]; }).filter(([ratio]) => ratio < 4.5);
"""


def must(condition, what):
    if not condition:
        raise Failed(what)


class Story:
    def __init__(self, children, arguments, directory):
        self.children, self.out = children, arguments.out
        self.browser = Browser(children, directory)
        emulator = children.start(
            [str(arguments.emulator), f"--chain={PARTNER}"], {"TMPDIR": str(directory)}, directory, "emulator"
        )
        announced = directory / "emulator.stdout"

        def line():
            must_run(emulator, announced.with_suffix(".stderr"))
            first, newline, _ = announced.read_text().partition("\n")
            return newline and first

        world = json.loads(children.wait_until("the STS emulator to be ready", line))
        self.control = world["control"]
        self.port, self.admin = free_port(), free_port()
        self.roles = directory / "roles.yaml"
        self.roles.write_text(ROLES)
        settings = {
            **world["env"],
            "IRSA_SIDECAR_ROLES_FILE": str(self.roles),
            "IRSA_SIDECAR_PORT": str(self.port),
            "IRSA_SIDECAR_ADMIN_LISTEN": f"127.0.0.1:{self.admin}",
        }
        self.url = f"http://127.0.0.1:{self.admin}/"
        self.sidecar = children.start([str(arguments.binary), "serve"], settings, directory, "sidecar")

        def ready():
            must_run(self.sidecar, directory / "sidecar.stderr")
            return request(f"{self.url}ready")

        children.wait_until("the sidecar to hold credentials", ready)
        for agent, count in ((OLD_GO, 12), (OLD_JAVA, 5), ("", 1)):
            for _ in range(count):
                self.get("/v1/credentials", {"User-Agent": agent} if agent else {})
        self.get("/v1/credentials/nobody", {"User-Agent": OLD_JAVA})

    def loads(self):
        """it shows the roles, their lifetimes and who asked, and asks its own origin alone"""
        self.browser.resize(WIDE, 900)
        self.browser.open(self.url)
        self.until("the page to be ready", "return document.querySelector('#state').textContent.startsWith('Ready: every role')")
        text = self.text()
        told = ("ServiceAccount shop/legacy-app", "pod legacy-app-", "STS http://127.0.0.1:", "eu-central-1")
        for words in ("default", "partner", "Token", "until", "aws-sdk-go-v1", PARTNER, *told):
            must(words in text, f"{words!r} is not on the page:\n{text}")
        # Of an hour, after two fifths to a half.
        next_refresh = re.search(r"Next refresh\s+\d\d:\d\d:\d\d, in (\d+) min", text)
        must(next_refresh and 23 <= int(next_refresh[1]) <= 30, f"no next refresh in\n{text}")
        late = self.browser.run(
            "return facts({ credentials: { expires_at: 2000 }, next_exchange_at: arguments[0], source: '' }, 1000).textContent", 3000
        )
        must("after the credentials expire" in late, f"the next refresh is too late, and it says {late}")
        rows = self.browser.run(
            "return [...document.querySelectorAll('#requests tbody tr')].map(row => row.innerText.split(/\\s+/))"
        )
        must(["aws-sdk-go-v1", "container", "12", "0", "0"] in rows, f"no row for the old Go SDK: {rows}")
        must(["aws-sdk-java-v1", "container", "5", "1", "0"] in rows, f"no row for the old Java SDK: {rows}")
        self.is_accessible()
        self.is_quiet()

    def fails(self):
        """a failure is shown with its mend, and said in the live region"""
        self.lever("fault", {"kind": "error", "code": "AccessDenied", "message": f"Not authorized {MARKUP}"})
        self.sidecar.send_signal(signal.SIGHUP)
        self.until(
            "the failure to be shown",
            "const box = document.querySelector('.problem.bad'); return box && box.innerText",
        )
        box = self.browser.run("return document.querySelector('.problem.bad').innerText")
        for words in ("AccessDenied", "Mend:", "trust policy", "since", MARKUP):
            must(words in box, f"{words!r} is not in the box:\n{box}")
        must(self.browser.run("return !document.querySelector('main img')"), "what STS says became markup")
        state = self.browser.run("return document.querySelector('[role=status]').innerText")
        must("Ready: " in state and "default (AccessDenied)" in state, f"the live region says {state!r}")
        self.pictures("failing")
        self.is_quiet()

    def recovers(self):
        """after the recovery the failure is told as over, and is in the history"""
        self.lever("clear")
        self.lever("token/rotate")
        self.until("the recovery to be shown", "return !document.querySelector('.problem.bad')")
        box = self.browser.run("return document.querySelector('.problem').innerText")
        for words in ("Last error, over", "AccessDenied", "Mend:", "since", "recovered at"):
            must(words in box, f"{words!r} is not in the box:\n{box}")
        self.browser.run("document.querySelector('details details').open = true")
        table = self.browser.run("return document.querySelector('details details').innerText")
        for words in ("Refreshed", "Failed", "AccessDenied", "New token", "until"):
            must(words in table, f"{words!r} is not in the table:\n{table}")
        label = self.browser.run("return document.querySelector('svg').getAttribute('aria-label')")
        must(re.search("Refreshed: 2, failed: [1-9]", label), f"the timeline's text is {label!r}")
        self.pictures("recovered")
        self.is_quiet()

    def is_many(self):
        """of fifty roles each is one line until it is opened, a filter finds one of them, and what was opened stays open"""
        chain = ROLES[ROLES.index("    chain:") :]
        teams = [f"team-{number:02}" for number in range(50)]
        self.roles.write_text(ROLES + "".join(f"  - name: {team}\n{chain}" for team in teams))
        shown_of = "[...document.querySelectorAll('section > details')].filter(e => e.checkVisibility())"
        shown = f"return {shown_of}"
        self.until("fifty more roles", f"{shown}.length === 52 && !document.querySelector('#roles .bad')")
        heights = self.browser.run(f"{shown}.filter(e => !e.open).map(e => e.offsetHeight)")
        must(len(heights) == 50 and max(heights) < 60, f"closed, they are so high: {heights}")
        self.does_not_scroll_sideways()
        self.pictures("many")
        self.browser.run("const f = document.querySelector('#filter'); f.value = 'TEAM-07'; f.oninput()")
        found = self.browser.run(f"return {shown_of}.map(e => e.querySelector('h2').innerText)")
        must(found == ["team-07"], f"the filter found {found}")
        self.browser.run(f"{shown_of}[0].open = true; document.querySelector('#filter').value = ''; document.querySelector('#filter').oninput()")
        opened = self.browser.run(f"return {shown_of}.filter(e => e.open).map(e => e.querySelector('h2').innerText)")
        must(opened == ["default", "partner", "team-07"], f"these are open: {opened}")
        self.is_quiet()
        self.roles.write_text(ROLES)
        self.until("two roles", f"{shown}.length === 2")

    def does_not_scroll_sideways(self):
        self.browser.resize(NARROW, 740)
        sideways = self.browser.run(
            "const wide = arguments[0]; return [document.documentElement.scrollWidth,"
            " [...document.querySelectorAll('body *:not(svg *)')].filter(e => e.getBoundingClientRect().right > wide + 1)"
            ".map(e => e.outerHTML.slice(0, 80))]",
            NARROW,
        )
        must(sideways == [NARROW, []], f"at {NARROW} px it is wider: {sideways}")
        self.browser.resize(WIDE, 900)

    def fits(self):
        """nothing scrolls sideways at 360 px, contrast is enough in light and dark, the keyboard's focus is seen"""
        self.does_not_scroll_sideways()
        for scheme in ("light", "dark"):
            self.browser.prefer(prefers_color_scheme=scheme)
            poor = self.browser.run(CONTRAST)
            must(not poor, f"too little contrast, {scheme}: {poor}")
        self.browser.press("Tab")
        seen = self.browser.run("return getComputedStyle(document.activeElement).outlineStyle")
        must(seen == "solid", f"the focus has an outline of {seen!r}")
        self.browser.prefer(prefers_color_scheme="light", prefers_reduced_motion="reduce")
        moves = self.browser.run("return getComputedStyle(document.documentElement).scrollBehavior")
        must(moves == "auto", "motion is not wanted")

    def is_guarded(self):
        """another port of this host, which a browser calls the same site, and another name can neither read it nor lead to it"""
        for elsewhere in (f"{self.control}/calls", f"http://localhost:{self.admin}/live"):
            for path in ("", "status"):
                self.browser.open(elsewhere)
                # In this mode even what may not be read is answered, and the status is in the log.
                self.browser.log("performance")
                self.browser.run("return fetch(arguments[0], { mode: 'no-cors' }).then(() => 0, () => 0)", self.url + path)
                self.browser.run("location = arguments[0]", self.url + path)
                self.until("the refusal", "return document.body.innerText.includes('WebPageRequest')")
                answers = [answer["status"] for answer in self.answers() if answer["url"] == self.url + path]
                must(answers and set(answers) == {403}, f"{elsewhere} had /{path} answered with {answers}")
        for kind in ("browser", "performance"):
            self.browser.log(kind)
        self.browser.open(self.url)
        self.until("the page to be back", "return document.querySelector('#state').textContent.startsWith('Ready: every role')")
        self.is_quiet()

    def outlives(self):
        """when the sidecar has ended it says so, and keeps the last state with its age"""
        self.children.end(self.sidecar)
        self.until(
            "the page to say that nobody answers",
            "return document.querySelector('#state').textContent.startsWith('No answer from the sidecar')",
        )
        text = self.text()
        for words in ("As of ", " ago", "was ready", "aws-sdk-go-v1"):
            must(words in text, f"{words!r} is not on the page:\n{text}")
        self.pictures("gone")

    def text(self):
        return self.browser.run("return document.body.innerText")

    def until(self, what, script):
        return self.children.wait_until(what, lambda: self.browser.run(script), patience=30)

    def get(self, path, headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path, headers=headers)
        connection.getresponse().read()
        connection.close()

    def lever(self, name, body=None):
        request(f"{self.control}/{name}", b"" if body is None else json.dumps(body).encode())

    def is_quiet(self):
        """No message on the console, no request to another origin, no answer but 200."""
        said = [entry["message"] for entry in self.browser.log("browser")]
        must(not said, f"the console has {said}")
        own, asked = urlsplit(self.url).netloc, set()
        for entry in self.browser.log("performance"):
            event = json.loads(entry["message"])["message"]
            if event["method"] == "Network.requestWillBeSent":
                url = event["params"]["request"]["url"]
                asked.add(url)
                must(url.startswith("data:") or urlsplit(url).netloc == own, f"it asks {url}")
            if event["method"] == "Network.responseReceived":
                answer = event["params"]["response"]
                must(answer["status"] == 200, f"{answer['url']} is {answer['status']}")
        must(f"{self.url}status" in asked, f"it does not ask for the status, but for {asked}")

    def answers(self):
        events = [json.loads(entry["message"])["message"] for entry in self.browser.log("performance")]
        return [event["params"]["response"] for event in events if event["method"] == "Network.responseReceived"]

    def is_accessible(self):
        """By Chromium's own accessibility tree."""
        nodes = self.browser.emulate("Accessibility.getFullAXTree")["nodes"]
        found = {(n["role"]["value"], n.get("name", {}).get("value", "")) for n in nodes if not n["ignored"] and "role" in n}
        for role, name in (
            ("banner", ""),
            ("main", ""),
            ("contentinfo", ""),
            ("region", "default"),
            ("heading", "default"),
            ("heading", "irsa-sidecar"),
            ("table", "By SDK, since the start"),
            ("columnheader", "SDK"),
            ("rowheader", "aws-sdk-go-v1"),
            ("status", ""),
        ):
            must((role, name) in found, f"no {role} {name!r} for assistive software: {sorted(found)}")
        must(any(role == "image" and name.startswith("Timeline of default, ") for role, name in found), "no timeline's text")

    def pictures(self, name):
        for scheme in ("light", "dark"):
            self.browser.prefer(prefers_color_scheme=scheme)
            for width in (WIDE, NARROW):
                self.browser.resize(width, 900)
                self.browser.picture(self.out / f"{name}-{scheme}-{width}.png")
        self.browser.prefer(prefers_color_scheme="light")
        self.browser.resize(WIDE, 900)
