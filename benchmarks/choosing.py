"""The outputs in docs/choosing.md: what its commands print.

``python -m gpuconv.benchmarks.choosing`` says which are not what is printed now; ``--write`` puts
them in. A ``bash`` block is followed by its ``text``.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from gpuconv.plans.files import NONE, VARIABLE

PAGE = Path(__file__).parent.parent / "docs" / "choosing.md"
PAIR = re.compile(r"^```bash\n([^\n]+)\n```\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def printed(command: str) -> str:
    """What a line of the page prints; it may begin with settings of the environment."""
    words = shlex.split(command)
    settings = dict(word.split("=", 1) for word in words[: words.index("gpuconv")])
    line = [sys.executable, "-m", "gpuconv", *words[words.index("gpuconv") + 1 :]]
    environment = {**os.environ, VARIABLE: NONE, **settings}  # a plan is one machine's
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=True)
    return "".join(f"{text.rstrip()}\n" for text in done.stdout.splitlines())


def renewed(text: str) -> str:
    """The page with every output as it is now."""
    return PAIR.sub(lambda m: f"```bash\n{m[1]}\n```\n```text\n{printed(m[1])}```", text)


def stale(text: str) -> list[str]:
    """The commands whose output on the page is not what they print."""
    return [command for command, shown in PAIR.findall(text) if shown != printed(command)]


def main() -> None:
    """Say what is stale; with ``--write`` renew it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--write", action="store_true", help="write docs/choosing.md")
    text = PAGE.read_text(encoding="utf-8")
    if parser.parse_args().write:
        PAGE.write_text(renewed(text), encoding="utf-8")
        return
    found = stale(text)
    print("\n".join(found) or "every output is as the page has it")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
