"""What tests/browser/check does: every page in Chromium, in two databases (sites.py).

Of each page, in light and dark, narrow and wide: axe finds no violation; nothing is wider than the window; no script of a
signer runs, and nothing is loaded from elsewhere; the keyboard reaches everything that the mouse does, in the same order,
and one sees where it is; and the page says the same without JavaScript. A screenshot of each is left in the output folder.
"""

import base64
import contextlib
import difflib
import importlib.util
import pathlib
import re
import shutil
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import sites
from selenium import webdriver
from selenium.common.exceptions import NoAlertPresentException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

WIDTHS = (360, 768, 1440)
SCHEMES = ("light", "dark")

# Characters that no page may contain as they are: controls (but for tab and line feed), line separators, and what changes
# the direction of text or has no width.
INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")

# Runs before the scripts of each page: what a script of a signer would do is counted, and so is what the policy stops.
WATCH = """
window.__wrong = [];
// A page refreshes itself once a minute: not in the middle of a check.
window.setInterval = () => 0;
for (const name of ["hostile", "alert", "confirm", "prompt", "open"]) {
  window[name] = () => { window.__wrong.push(name + " was called"); };
}
document.addEventListener("securitypolicyviolation", (event) => {
  window.__wrong.push("the policy stopped " + event.violatedDirective + " " + event.blockedURI);
});
window.addEventListener("error", (event) => { window.__wrong.push("error: " + event.message); });
window.addEventListener("unhandledrejection", (event) => { window.__wrong.push("rejected: " + event.reason); });
"""

FOCUSABLE = """
return [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
  .filter((one) => !one.disabled && one.type !== "hidden" && one.checkVisibility())
  .map((one, place) => { one.dataset.place = place; return one.tagName; });
"""

failures = []
checks = 0


def expect(holds, what):
    global checks
    checks += 1
    if not holds:
        failures.append(what)
        print(f"FAILED {what}", flush=True)


def axe_source():
    # Only found, not imported: it would import Playwright.
    package = pathlib.Path(importlib.util.find_spec("axe_playwright_python").origin).parent
    return (package / "axe.min.js").read_text(encoding="utf-8")


class Browser:
    """Chromium, and what is looked at in it."""

    def __init__(self, output):
        self.output, self.axe = output, axe_source()
        options = webdriver.ChromeOptions()
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars=false",
                         "--force-color-profile=srgb", "--lang=en-US", "--no-proxy-server",
                         "--host-resolver-rules=MAP rebound.example 127.0.0.1"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        # A zone that is not UTC, so that the script has something to add.
        options.binary_location = shutil.which("chromium") or shutil.which("chromium-browser") or ""
        service = Service(shutil.which("chromedriver"), env={**sites.environment(), "TZ": "America/New_York"})
        self.driver = webdriver.Chrome(options, service)
        self.driver.set_page_load_timeout(300)
        self.driver.set_script_timeout(300)
        self.command("Page.addScriptToEvaluateOnNewDocument", source=WATCH)

    def command(self, name, **parameters):
        return self.driver.execute_cdp_cmd(name, parameters)

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def open(self, address):
        self.driver.get(address)

    def wait(self, condition, what):
        try:
            WebDriverWait(self.driver, 120).until(lambda _: condition())
            expect(True, what)
        except Exception as error:  # noqa: BLE001
            expect(False, f"{what}: {type(error).__name__}")

    def show(self, width, scheme):
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def to_start(self):
        """The next Tab goes to the first stop of the page, also if something had the focus."""
        self.script("""
            document.body.tabIndex = -1;
            document.body.focus();
            document.body.removeAttribute("tabindex");
            scrollTo(0, 0);
        """)

    def without_scripts(self, value):
        self.command("Emulation.setScriptExecutionDisabled", value=value)

    def screenshot(self, name):
        # The beginning of a long page shows what it is like.
        height = min(self.script("return document.documentElement.scrollHeight"), 6000)
        width = self.script("return document.documentElement.clientWidth")
        image = self.command("Page.captureScreenshot", captureBeyondViewport=True,
                             clip={"x": 0, "y": 0, "width": width, "height": height, "scale": 1})["data"]
        (self.output / f"{name}.png").write_bytes(base64.b64decode(image))

    def violations(self):
        self.script(self.axe)
        found = self.driver.execute_async_script(
            "const done = arguments[0];"
            "axe.run(document, {resultTypes: ['violations']}).then((r) => done(r.violations), (e) => done([{id: String(e), nodes: []}]));"
        )
        return [f"{one['id']}: {[node['html'][:200] for node in one['nodes'][:3]]}" for one in found]

    def looks_right(self, name, width):
        """No scrolling to the side."""
        wide = self.script("""
            const width = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= width) return [];
            const wide = [...document.body.querySelectorAll("*")].filter((one) => one.getBoundingClientRect().right > width + 1);
            return [document.documentElement.scrollWidth, ...wide.slice(0, 3).map((one) => one.outerHTML.slice(0, 200))];
        """)
        expect(wide == [], f"{name} at {width}: wider than the window: {wide}")

    def is_safe(self, name, is_hostile):
        """Nothing that a signer wrote is more than text, and all of it is visible."""
        with contextlib.suppress(NoAlertPresentException):
            text = self.driver.switch_to.alert.text
            expect(False, f"{name}: a dialog: {text}")
        expect(self.script("return window.__wrong") == [], f"{name}: {self.script('return window.__wrong')}")
        made = self.script("""
            const scripts = [...document.scripts].map((one) => one.getAttribute("src"));
            const own = (address) => new URL(address, location).origin === location.origin;
            return {
              scripts: scripts.filter((src) => src === null || !src.startsWith("/assets/")),
              handlers: [...document.querySelectorAll("*")].filter((one) => [...one.attributes].some((a) => a.name.startsWith("on") || a.name === "style")).length,
              embedded: document.querySelectorAll("img, iframe, object, embed, base, meta[http-equiv]").length,
              elsewhere: performance.getEntriesByType("resource").map((one) => one.name).filter((one) => !own(one)),
              links: [...document.querySelectorAll("a[href]")].map((one) => one.href).filter((one) => /^(javascript|data):/i.test(one)),
            };
        """)
        for what, found in made.items():
            expect(not found, f"{name}: {what}: {found}")
        source = self.script("return document.documentElement.outerHTML")
        # A form keeps what was typed.
        expect(not INVISIBLE.search(source), f"{name}: invisible characters: {INVISIBLE.findall(source)[:5]}")
        if is_hostile:
            text = self.script("return document.body.innerText")
            expect("\\u{202e}" in text, f"{name}: the bidirectional control is not visible")
        # Chromium reports the status of an error page here, too.
        severe = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
        severe = [message for message in severe if "the server responded with a status of" not in message]
        expect(severe == [], f"{name}: {severe}")

    def keyboard_reaches_all(self, name):
        """Tab goes through everything that can be used, in the order of the page; one sees where it is."""
        tags = self.script(FOCUSABLE)
        self.to_start()
        reached, hidden = [], []
        # Of radio buttons of one name only one is reached; here there are none.
        for _ in range(len(tags) + 5):
            self.driver.switch_to.active_element.send_keys(Keys.TAB)
            place, outline, inside = self.script("""
                const one = document.activeElement;
                const style = getComputedStyle(one);
                const box = one.getBoundingClientRect();
                return [one.dataset.place ?? null, style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0,
                        box.width > 0 && box.left >= 0 && box.right <= innerWidth + 1];
            """)
            if place is None or (reached and int(place) <= reached[-1]):
                break
            reached.append(int(place))
            if not (outline and inside):
                hidden.append(self.script("return document.activeElement.outerHTML.slice(0, 200)"))
        expect(reached == list(range(len(tags))), f"{name}: of {len(tags)} elements the keyboard reaches {len(reached)}: {reached[-1:]}")
        expect(hidden == [], f"{name}: the focus is not seen: {hidden[:3]}")


def sign_in(browser, site):
    browser.open(f"{site.address}/findings?all=true")
    expect("/login" in browser.driver.current_url, "a page without a session leads to the form")
    browser.driver.find_element(By.NAME, "token").send_keys(sites.TOKEN + Keys.ENTER)
    browser.wait(lambda: browser.driver.current_url.endswith("/findings?all=true"), "the form leads back to the page")


def visit(browser, site, kind, is_hostile):
    """Every page of a site, in every form."""
    pages = {
        "overview": "/",
        "health": "/health",
        "log": "/logs/recorded",
        "watch": "/watches/falcon-release",
        "findings": "/findings",
        "findings-all": "/findings?all=true&limit=20",
        "findings-none": "/findings?digest=sha256:" + "00" * 32,
        "absent": "/findings/" + "00" * 16,
        "mistake": "/findings?severity=loud",
    }
    pages |= {f"finding-{kind}": f"/findings/{number}" for kind, number in site.findings().items()}
    signers = {"overview", "findings", "findings-all", "log", "health"} if is_hostile else set()
    for page, path in pages.items():
        name = f"{kind}-{page}"
        browser.without_scripts(False)
        browser.show(1440, "light")
        browser.open(site.address + path)
        has_signer = is_hostile and (page in signers or (page.startswith("finding-") and "unavailable" not in page))
        browser.is_safe(name, has_signer)
        with_scripts = browser.script("""
            const added = [...document.querySelectorAll("main .local, main .copy")];
            for (const one of added) one.style.setProperty("display", "none", "important");
            const text = document.querySelector("main").innerText;
            for (const one of added) one.removeAttribute("style");
            return text;
        """)
        expect(browser.script("return document.querySelectorAll('h1').length") == 1, f"{name}: not one heading")
        for width in WIDTHS:
            for scheme in SCHEMES:
                browser.show(width, scheme)
                browser.looks_right(name, width)
                if width != 768:
                    browser.screenshot(f"{name}-{width}-{scheme}")
        for width, scheme in ((360, "dark"), (1440, "light")):
            browser.show(width, scheme)
            for violation in browser.violations() or [None]:
                expect(violation is None, f"{name} at {width}, {scheme}: {violation}")
        if page not in ("findings", "findings-all"):
            browser.keyboard_reaches_all(name)

        # Without JavaScript there is everything but the reader's zone and the buttons that copy.
        browser.without_scripts(True)
        browser.open(site.address + path)
        without = browser.script("return document.querySelector('main').innerText")
        # A time line ends now.
        parts, without = (re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "", text).split() for text in (with_scripts, without))
        other = [line for line in difflib.ndiff(parts, without) if line[0] in "+-"]
        expect(other == [], f"{name}: another text without JavaScript: {other[:20]}")
        browser.without_scripts(False)
        print(f"  {name}", flush=True)


def use(browser, site):
    """What people do, with the keyboard alone and without JavaScript."""
    browser.show(1440, "light")
    browser.open(site.address + "/")
    browser.driver.switch_to.active_element.send_keys(Keys.TAB)
    expect(browser.script("return document.activeElement.className") == "skip", "the first stop skips to the content")
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    expect(browser.script("return document.activeElement.id") == "content", "it leads to the content")
    expect(browser.script("return document.querySelectorAll('time + .local').length") > 0, "times have the reader's zone")
    expect(browser.script("return document.querySelectorAll('pre.command + .copy').length") > 0, "commands can be copied")

    number = site.findings()["identity-unexpected-open"]
    browser.without_scripts(True)
    browser.open(f"{site.address}/findings/{number}")
    reason = "seen <b>by</b> a person"
    browser.driver.find_element(By.CSS_SELECTOR, "main form [name=reason]").send_keys(reason)
    browser.driver.find_element(By.CSS_SELECTOR, "main form button").click()
    browser.wait(lambda: reason in browser.driver.find_element(By.TAG_NAME, "main").text, "the form acknowledges without JavaScript")
    browser.without_scripts(False)

    # What changes in the database is on the page without loading it again.
    browser.open(f"{site.address}/findings/{number}")
    browser.script("window.isSame = true")
    done = site.run("findings", "note", number, "--reason", "a later note", "--author", "tests")
    expect(done.returncode == 0, f"a note: {done.stderr}")
    browser.script("document.activeElement.blur(); document.dispatchEvent(new Event('visibilitychange'))")
    browser.wait(lambda: "a later note" in browser.script("return document.querySelector('main').innerText"), "a page refreshes itself")
    expect(browser.script("return window.isSame === true"), "the refresh does not load the page again")
    site.stop()
    browser.script("document.dispatchEvent(new Event('visibilitychange'))")
    browser.wait(lambda: "This page is old" in browser.script("return document.body.innerText"), "a page that is not refreshed says so")
    browser.driver.get_log("browser")


def attack(browser, site):
    """Other sites: none may show a page in a frame, or read it under a name of its own."""
    frame = f'<!doctype html><title>x</title><iframe src="{site.address}/"></iframe>'.encode()

    class Attacker(BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(frame)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Attacker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    browser.open(f"http://127.0.0.1:{server.server_port}/")
    browser.driver.switch_to.frame(0)
    expect("falcon" not in browser.driver.page_source, "another site shows the page in a frame")
    browser.driver.switch_to.default_content()
    refused = [entry["message"] for entry in browser.driver.get_log("browser") if "frame-ancestors" in entry["message"]]
    expect(refused, "the browser does not say that the policy refuses the frame")
    server.shutdown()

    browser.open(site.address.replace("127.0.0.1", "rebound.example") + "/")
    expect("falcon" not in browser.driver.page_source, "a page under the name of another site")
    browser.driver.get_log("browser")


def main():
    program, output = sys.argv[1], pathlib.Path(sys.argv[2])
    for old in output.glob("*.png"):
        old.unlink()
    with tempfile.TemporaryDirectory(prefix="modelwatch-browser-") as work, contextlib.ExitStack() as stack:
        browser = Browser(output)
        stack.callback(browser.driver.quit)
        usual = sites.demo(program, f"{work}/demo").serve()
        stack.callback(usual.stop)
        visit(browser, usual, "demo", False)
        attack(browser, usual)
        full = sites.hostile(program, f"{work}/hostile").serve()
        stack.callback(full.stop)
        browser.without_scripts(False)
        browser.show(360, "dark")
        browser.open(f"{full.address}/login")
        browser.screenshot("sign-in-360-dark")
        for violation in browser.violations() or [None]:
            expect(violation is None, f"sign-in: {violation}")
        browser.keyboard_reaches_all("sign-in")
        sign_in(browser, full)
        visit(browser, full, "hostile", True)
        use(browser, full)
    print(f"{checks} checks in a browser, {len(failures)} failed; screenshots are in {output}")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
