"""How the demo speaks: numbered steps with their durations, quoted text, colours where a person watches."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

BOLD, DIM, RED, GREEN, YELLOW = "1", "2", "31", "32", "33"
FRAMES = "|/-\\"
FRAME_SECONDS = 0.15


class Console:
    """Writes to standard output; knows how long everything took."""

    def __init__(self) -> None:
        self._watched = sys.stdout.isatty()
        self._coloured = self._watched and "NO_COLOR" not in os.environ
        self._durations: list[tuple[str, float]] = []

    def say(self, text: str = "", style: str = "") -> None:
        print(self._styled(text, style), flush=True)

    def _styled(self, text: str, style: str) -> str:
        return f"\033[{style}m{text}\033[0m" if style and self._coloured else text

    def chapter(self, title: str) -> None:
        self.say()
        self.say(title, BOLD)

    @contextmanager
    def step(self, title: str, quiet: bool = True) -> Iterator[None]:
        """Show that something is under way, and then how long it took. Not quiet: it writes to the terminal itself."""
        start = time.monotonic()
        done = threading.Event()
        progress = threading.Thread(target=self._turn, args=(title, start, done), daemon=True)
        if self._watched and quiet:
            progress.start()
        outcome = self._styled("failed", RED)
        try:
            yield
            outcome = self._styled("done", GREEN)
        finally:
            done.set()
            if progress.is_alive():
                progress.join()
            seconds = time.monotonic() - start
            self._durations.append((title, seconds))
            line = f"  {outcome}  {title} ({seconds:.1f} s)"
            # The progress line stands there, and may have been longer.
            self.say(f"\r{line}  " if self._watched and quiet else line)

    @staticmethod
    def _turn(title: str, start: float, done: threading.Event) -> None:
        turn = 0
        while not done.wait(FRAME_SECONDS):
            turn += 1
            frame = FRAMES[turn % len(FRAMES)]
            print(f"\r  {frame}     {title} ({time.monotonic() - start:.0f} s)", end="", flush=True)

    def quote(self, text: str) -> None:
        """Text of someone else, as it came; what a diff adds is green and what it removes is red."""
        for line in text.splitlines():
            content = line.lstrip()
            style = GREEN if content.startswith("+") else RED if content.startswith("-") else ""
            self.say(f"    | {self._styled(line, style)}".rstrip())

    def durations(self) -> None:
        width = max(len(title) for title, _ in self._durations)
        for title, seconds in self._durations:
            self.say(f"  {title:<{width}}  {seconds:6.1f} s")
        self.say(f"  {'Together':<{width}}  {sum(seconds for _, seconds in self._durations):6.1f} s", BOLD)
