"""Live progress and Ctrl-C."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from neuralpde.integrators import State, StepInfo

LINE_SECONDS = 5.0
"""Longest silence where the output is no terminal."""


class Stop:
    """Inside this context the first Ctrl-C asks the run to end after its step; the second one ends it at once."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():  # elsewhere Python forbids signal handlers
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        self.console.print("stopping after this step; press Ctrl-C again to stop at once", highlight=False)


class Display:
    """Shows the steps of a run: one moving line on a terminal, else a line every 10 % or few seconds.

    Args:
        console: where to; progress belongs on stderr, so that stdout holds results alone.
        name: the run's name.
    """

    def __init__(self, console: Console, name: str) -> None:
        self.console, self.name = console, name
        self.begin = self.last_line = time.monotonic()
        self.first: int | None = None
        self.tenths = 0
        self.bar: Progress | None = None
        self.task = TaskID(0)

    def __enter__(self) -> Display:
        if self.console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), TextColumn("{task.fields[state]}"))
            self.bar = Progress(*columns, console=self.console, transient=True)
            self.bar.start()
            self.task = self.bar.add_task(self.name, total=None, state="set-up and first fit")
        else:
            self._print(f"{self.name}: set-up and first fit")
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def __call__(self, step: int, steps: int, state: State, info: StepInfo) -> None:
        """Show a step that was done."""
        now = time.monotonic()
        if self.first is None:
            # the first step is not counted: before it lies the set-up, whose time would spoil the estimate
            self.first, self.begin = step, now
        done = step - self.first
        left = f"{(now - self.begin) / done * (steps - step):.0f} s left" if done else ""
        text = f"step {step} of {steps}, t = {state.t:.4g}, residual {info.residual:.1e}, {left}".removesuffix(", ")
        if self.bar is not None:
            self.bar.update(self.task, total=steps, completed=step, state=text)
            return
        tenths = 10 * step // steps
        if tenths > self.tenths or now - self.last_line > LINE_SECONDS:
            self.tenths, self.last_line = tenths, now
            self._print(f"{self.name}: {text}")

    def _print(self, text: str) -> None:
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)
