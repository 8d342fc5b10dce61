"""Pages in a browser: what Chromium makes of them, without a window and without the network."""

import json
import re
import shutil
import subprocess
from html import escape, unescape
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
SCHEMES = {"dark": 0, "light": 1}  # as Blink numbers them

# What is seen of a page in a frame. Contrast is WCAG 2.2's (1.4.3), of text against the first
# background behind it that is not transparent.
SCRIPT = """
const channel = c => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
const numbers = text => text.match(/[0-9.]+/g).map(Number);
const light = text => { const [r, g, b] = numbers(text).map(channel);
  return .2126 * r + .7152 * g + .0722 * b; };
const isClear = text => numbers(text)[3] === 0;
function behind(element, view) {
  for (; element; element = element.parentElement) {
    const found = view.getComputedStyle(element).backgroundColor;
    if (!isClear(found)) return found;
  }
  return "rgb(255, 255, 255)";
}
function look(frame) {
  const view = frame.contentWindow, page = view.document, root = page.documentElement;
  page.querySelectorAll("details").forEach(part => part.open = true);
  const texts = [...page.body.querySelectorAll("*")].filter(e => e.closest("title, desc") === null
    && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
  const contrasts = texts.map(e => { const style = view.getComputedStyle(e);
    const a = light(e.closest("svg") ? style.fill : style.color), b = light(behind(e, view));
    return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.outerHTML.slice(0, 80)]; });
  return { client: root.clientWidth, scroll: root.scrollWidth, texts: texts.length,
    hidden: texts.filter(e => !e.checkVisibility({visibilityProperty: true})
      || !e.getBoundingClientRect().height).map(e => e.outerHTML.slice(0, 80)),
    faintest: contrasts.sort((a, b) => a[0] - b[0])[0], paper: behind(page.body, view),
    fetched: view.performance.getEntriesByType("resource").map(e => e.name) };
}
window.onload = () => document.getElementById("seen").textContent =
  JSON.stringify([...document.querySelectorAll("iframe")].map(look));
"""


def path() -> str | None:
    """Where Chromium is, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def missing() -> str | None:
    """Why there is no browser, or None."""
    return None if path() else "needs Chromium (Debian: apt install chromium)"


def look(text: str, scheme: str, widths: list[int], folder: Path) -> tuple[list[Any], list[str]]:
    """What is seen of a page at each width, and what the console was told."""
    frames = "".join(
        f'<iframe width="{width}" height="900" srcdoc="{escape(text, quote=True)}"></iframe>'
        for width in widths
    )
    page = folder / f"{scheme}.html"
    page.write_text(f'{frames}<pre id="seen"></pre><script>{SCRIPT}</script>', encoding="utf-8")
    command = [path(), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}", "--dump-dom"]
    command += [f"--user-data-dir={folder / scheme}", "--enable-logging=stderr", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    (seen,) = re.findall(r'<pre id="seen">(.*?)</pre>', done.stdout)
    return json.loads(unescape(seen)), re.findall(r".*CONSOLE.*", done.stderr)
