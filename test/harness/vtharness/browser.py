"""Chromium without a window, as the ordinary user of the run, looking at a tablet's pages."""
import base64
import os
import shutil

from vtharness.ports import free_port
from vtharness.wait import wait_for

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
SCREENSHOTS = os.path.join(TOP, "build", "screenshots")
DESKTOP, PHONE = (1280, 900, 1), (360, 740, 2)  # width, height, pixels of a pixel


class Browser:
    """Use as a context manager."""

    def __init__(self, run):
        self.run, self.driver, self.process = run, None, None

    def __enter__(self):
        port = free_port()
        self.process = self.run.start("chromedriver", [shutil.which("chromedriver"), f"--port={port}"])
        self.driver = wait_for(lambda: self._connect(port), "chromedriver and Chromium start", 60, 0.3)
        self.show_as(DESKTOP)
        return self

    def _connect(self, port):
        # Debian's package; what does not need a browser must not need it.
        from selenium import webdriver  # pylint: disable=import-outside-toplevel
        from selenium.webdriver.chromium.remote_connection import (  # pylint: disable=import-outside-toplevel
            ChromiumRemoteConnection)
        options = webdriver.ChromeOptions()
        for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--no-first-run", "--disable-background-networking", "--no-proxy-server",
                     f"--user-data-dir={self.run.folder('chromium')}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        connection = ChromiumRemoteConnection(f"http://127.0.0.1:{port}", "goog", "chrome",
                                              keep_alive=True, ignore_proxy=True)
        return webdriver.Remote(command_executor=connection, options=options)

    def __exit__(self, *_):
        try:
            self.driver.quit()
        finally:
            self.process.stop()

    # ---- how it looks ----
    def devtools(self, command, **parameters):
        return self.driver.execute("executeCdpCommand", {"cmd": command, "params": parameters})["value"]

    def show_as(self, size, scheme="light"):
        width, height, scale = size
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height,
                      deviceScaleFactor=scale, mobile=size is PHONE)
        self.devtools("Emulation.setEmulatedMedia",
                      features=[{"name": "prefers-color-scheme", "value": scheme}])

    def set_scripts(self, may_run):
        self.devtools("Emulation.setScriptExecutionDisabled", value=not may_run)

    def open(self, tablet, path="/debug/status"):
        self.driver.get(f"http://127.0.0.1:{tablet.http_port}{path}")

    def screenshot(self, name):
        """The whole page into build/screenshots/NAME.png."""
        size = self.devtools("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        data = self.devtools("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)["data"]
        os.makedirs(SCREENSHOTS, exist_ok=True)
        with open(os.path.join(SCREENSHOTS, f"{name}.png"), "wb") as file:
            file.write(base64.b64decode(data))

    def screenshots(self, name):
        """Light and dark, and on a phone, where nothing may be wider than the screen."""
        self.screenshot(f"{name}-light")
        self.show_as(DESKTOP, "dark")
        self.screenshot(f"{name}-dark")
        self.show_as(PHONE)
        overhang = self.overhang()
        self.screenshot(f"{name}-phone")
        self.show_as(DESKTOP)
        assert overhang == 0, f"{overhang} pixels are wider than a phone"

    def overhang(self):
        """How many pixels of the page are beyond the right edge."""
        return self.script("const e = document.scrollingElement; return e.scrollWidth - e.clientWidth")

    # ---- what it says ----
    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def text(self, selector="body"):
        """The visible text of all that match, joined."""
        return self.script("return Array.from(document.querySelectorAll(arguments[0]),"
                           " e => e.innerText ?? e.textContent).join('\\n')", selector)

    def wait_text(self, piece, selector="body", deadline=30):
        wait_for(lambda: piece in self.text(selector), f"'{piece}' in {selector}", deadline, 0.2)

    def errors(self):
        """What the browser complained about since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")
                if entry["level"] in ("SEVERE", "WARNING")]
