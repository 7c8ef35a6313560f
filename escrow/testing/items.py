"""Stories as pytest sees them: one file, one item; what is wrong is told with the line of the file."""

from collections.abc import Iterator
from typing import Any

import pytest

from escrow.registry.platforms.file import read_platform_file
from escrow.testing.plugin import begin_of_stories, keeper_of, platform_file_of
from escrow.testing.sentences import NoSuchSentence, Spoken, understood
from escrow.testing.story_file import StoryFileError, StoryTerms, read_story_file
from escrow.testing.tale import StoryFailed, play

#: What only the session's own stack lets a story do.
_OWN_STACK_ONLY = frozenset({"the worker is killed", "the worker is back"})


class StoryFile(pytest.File):
    """A file with one story."""

    def collect(self) -> Iterator[pytest.Item]:
        """The story, once every line of it is understood.

        Raises:
            StoryFileError: something in the file is wrong; each problem with its line.
        """
        terms = read_story_file(self.path)
        spoken, unknown = [], []
        for line_no, text in terms.lines:
            try:
                spoken.append(understood(text, terms.names))
            except NoSuchSentence as error:
                unknown.append(f"{self.path}:{line_no}: {error}")
        if terms.begins:
            try:
                begin_of_stories(self.config, terms.begins)
            except ValueError as error:
                unknown.append(f"{self.path}: begins: {error}")
        if unknown:
            raise StoryFileError("\n".join(unknown))
        yield StoryItem.from_parent(self, name="story", terms=terms, spoken=spoken)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override]  # as pytest's own collectors
        """What is wrong with the file, without a trace of ours."""
        if isinstance(excinfo.value, StoryFileError):
            return str(excinfo.value)
        return super().repr_failure(excinfo)


class StoryItem(pytest.Item):
    """One story."""

    def __init__(self, *, terms: StoryTerms, spoken: list[Spoken], **more: Any) -> None:
        super().__init__(**more)
        self._terms = terms
        self._spoken = spoken

    def runtest(self) -> None:
        """Play it on a platform of its own.

        Raises:
            StoryFailed: a line failed.
        """
        keeper = keeper_of(self.config)
        needs = {said.sentence.template for said in self._spoken} & _OWN_STACK_ONLY
        if keeper.is_foreign and needs:
            pytest.skip(f"only on a stack of the session's own: {', '.join(sorted(needs))}")
        stack = keeper.stack(self.session)
        named = platform_file_of(self.config)
        file = None if named is None else read_platform_file(named)
        begin_at = begin_of_stories(self.config, self._terms.begins)
        stack.background.run(play(self._terms, self._spoken, stack, file, begin_at))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The line that failed, with what was expected and found."""
        if isinstance(excinfo.value, StoryFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        """Where the story stands, and what it is called."""
        return self.path, 0, self._terms.title
