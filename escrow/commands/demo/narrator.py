"""The voice of the demo: acts and lines on the terminal, with a progress bar below them where there is a terminal."""

from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Narrator:
    """Tells the story; use it as a context for as long as the progress bar is to be seen.

    Args:
        console: where to tell it; without a terminal there are lines only.
        acts: how many acts the story has.
    """

    def __init__(self, console: Console, *, acts: int) -> None:
        self._console = console
        self._acts = acts
        self._act = 0
        self._bar = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=24),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=acts)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the progress bar away; what follows stays on the screen."""
        self._bar.stop()

    def act(self, title: str) -> None:
        """The next act begins."""
        self._act += 1
        self._bar.update(self._task, completed=self._act - 1, description=escape(title))
        self._console.print(f"\n[bold]{self._act}/{self._acts}  {escape(title)}[/]")

    def line(self, text: str) -> None:
        """Something happened."""
        self._console.print(f"      {escape(text)}")

    def aside(self, text: str) -> None:
        """A detail for those who want to know."""
        self._console.print(f"      [dim]{escape(text)}[/]")

    def show(self, what: RenderableType = "") -> None:
        """Print a table or an empty line."""
        self._console.print(what)
