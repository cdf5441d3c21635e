"""Headless Chromium: a page is opened, a script acts on it as a person would, and what it saw comes back."""

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)"
)
FIRST = """<script>
window.faults = [];
window.addEventListener("error", event => window.faults.push(String(event.message)));
window.addEventListener("securitypolicyviolation", event => window.faults.push(event.blockedURI));
console.error = console.warn = (...words) => window.faults.push(words.join(" "));
</script>"""
LAST = """<script>
const sleep = ms => new Promise(done => setTimeout(done, ms));
const all = selector => [...document.querySelectorAll(selector)];
const one = selector => document.querySelector(selector);
(async () => {
  const seen = {};
  try { await (async () => { SCRIPT })(); } catch (error) { window.faults.push(String(error)); }
  seen.faults = window.faults;
  seen.width = window.innerWidth;
  seen.overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  parent.postMessage(btoa(unescape(encodeURIComponent(JSON.stringify(seen)))), "*");
})();
</script>"""
# A window of Chromium's is never narrower than 500 pixels; a frame within it is.
FRAME = """<!DOCTYPE html><title>waiting</title>
<script>addEventListener("message", event => { document.title = "seen:" + event.data; });</script>
<iframe src="PAGE" style="width:WIDTHpx;height:900px;border:0;margin:0"></iframe>"""


def browse(page: Path, script: str, width: int = 1400) -> dict[str, Any]:
    """Open a copy of a page and run a script in it.

    Args:
        page: the HTML file.
        script: JavaScript, which may await, and puts what it sees into `seen`.
        width: of the page, in pixels.

    Returns:
        What it saw, and besides: faults (errors and warnings), width, overflow (pixels the page is too wide).
    """
    assert CHROMIUM is not None
    text = page.read_text(encoding="utf-8")
    text = text.replace("<head>", "<head>" + FIRST, 1)
    head, tail = text.rsplit("</body>", 1)
    copy = page.with_name(f"{page.stem}.browsed.html")
    copy.write_text(head + LAST.replace("SCRIPT", script) + "</body>" + tail, encoding="utf-8")
    frame = page.with_name(f"{page.stem}.frame.html")
    frame.write_text(FRAME.replace("PAGE", copy.name).replace("WIDTH", str(width)), encoding="utf-8")
    done = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--force-prefers-reduced-motion",
            f"--user-data-dir={page.parent / 'profile'}",
            "--window-size=1500,1000",
            "--virtual-time-budget=20000",
            "--enable-logging=stderr",
            "--dump-dom",
            frame.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    found = re.search(r"<title>seen:([^<]*)</title>", done.stdout)
    assert found, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    seen: dict[str, Any] = json.loads(base64.b64decode(found[1]))
    seen["faults"] += [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return seen
