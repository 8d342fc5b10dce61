"""A rival in a process of its own: for one whose threads would spin in ours, and to see its memory.

The parent writes a line and reads one; the child says nothing else on its standard output.
"""

import os
import subprocess
import sys
from typing import Any


class Process:
    """A Python module that answers lines with lines."""

    def __init__(self, module: str, *arguments: str, **settings: str) -> None:
        """``settings``: environment variables beside those of this process."""
        pipe = subprocess.PIPE
        command = [sys.executable, "-m", module, *arguments]
        self._process = subprocess.Popen(
            command,
            stdin=pipe,
            stdout=pipe,
            text=True,
            start_new_session=True,
            env={**os.environ, **settings},
        )  # Ctrl-C is for the parent, which then ends it
        self._given: Any = self._process.stdin
        self._taken: Any = self._process.stdout

    def close(self) -> None:
        """End the process, if it has not ended."""
        if self._taken.closed:
            return
        self._given.close()
        self._taken.read()  # what it has to say at its end
        self._taken.close()
        self._process.wait()

    def ask(self, line: str) -> str:
        """The answer to a line, or to the end of input where there is none.

        Raises RuntimeError if the process has ended.
        """
        given, taken = self._given, self._taken
        try:
            given.write(line)
            given.flush() if line else given.close()
            answer = taken.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self.close()
            raise RuntimeError(f"the process has ended with {self._process.returncode}")
        return answer
