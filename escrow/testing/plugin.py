"""The pytest plugin: options, fixtures, and the collection of stories. It imports nothing heavy before it is used."""

import importlib.util
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from escrow.testing.stacks import StackUnderTest

STORY_SUFFIX = ".story.yaml"
#: The bank sandbox of a stack that `escrow up` runs.
_USUAL_BANK = "http://127.0.0.1:8090"
_KEEPER = pytest.StashKey["Keeper"]()


@pytest.hookimpl
def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the stack is, and when stories begin."""
    group = parser.getgroup("escrow")
    group.addoption(
        "--escrow-url",
        metavar="URL",
        default=os.environ.get("ESCROW_URL", ""),
        help="the API of a sandbox stack that runs already (ESCROW_URL); without it, one is started for the session",
    )
    group.addoption(
        "--escrow-bank-url",
        metavar="URL",
        default=os.environ.get("ESCROW_BANK_URL", _USUAL_BANK),
        help="the bank sandbox of that stack (ESCROW_BANK_URL)",
    )
    group.addoption(
        "--begin-at",
        metavar="MOMENT",
        default="",
        help="when stories begin that say nothing of it: sunday-dawn, month-end-23:59, make-up-saturday, "
        "eve-of-national-day, friday-17:14, year-end, or a time of Shanghai such as 2026-12-06T06:15; "
        "by default the next ordinary working day at 10:00",
    )
    parser.addini("escrow_platform_file", "the platform file (YAML) that tests and stories open their platforms from")


@pytest.hookimpl
def pytest_configure(config: pytest.Config) -> None:
    """Check the moment before anything runs; the fixtures need pytest-asyncio."""
    config.stash[_KEEPER] = Keeper(config)
    if config.getoption("begin_at"):
        try:
            begin_of_stories(config)
        except ValueError as error:
            raise pytest.UsageError(f"--begin-at: {error}") from error
    if importlib.util.find_spec("pytest_asyncio") is not None:
        from escrow.testing import fixtures

        config.pluginmanager.register(fixtures, "escrow-fixtures")


@pytest.hookimpl
def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect stories."""
    if not file_path.name.endswith(STORY_SUFFIX):
        return None
    from escrow.testing.items import StoryFile

    return StoryFile.from_parent(parent, path=file_path)


def begin_of_stories(config: pytest.Config, text: str | None = None) -> datetime:
    """The moment at which a story begins: what it says itself, else `--begin-at`, else an ordinary morning.

    Raises:
        ValueError: the text means no moment.
    """
    from escrow.sandbox.moments import begin_of_story

    return begin_of_story(text or config.getoption("begin_at"), datetime.now(UTC))


def platform_file_of(config: pytest.Config) -> Path | None:
    """The platform file that the ini value names, relative to the ini file."""
    named: str = config.getini("escrow_platform_file") or ""
    if not named:
        return None
    beside: Path = config.inipath.parent if config.inipath else config.rootpath
    return beside / named


def keeper_of(config: pytest.Config) -> "Keeper":
    """Who has the session's stack."""
    return config.stash[_KEEPER]


class Keeper:
    """Starts the session's stack when it is first asked for, and ends it with the session."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._stack: StackUnderTest | None = None
        self._failure: Exception | None = None

    @property
    def is_foreign(self) -> bool:
        """Whether the stack is one that runs elsewhere."""
        return bool(self._config.getoption("escrow_url"))

    def stack(self, session: pytest.Session) -> "StackUnderTest":
        """The stack; starting it takes some seconds, and what fails once is not tried again."""
        if self._failure is not None:
            raise self._failure
        if self._stack is None:
            try:
                self._stack = self._started(session)
            except Exception as failure:
                self._failure = failure
                raise
        return self._stack

    def _started(self, session: pytest.Session) -> "StackUnderTest":
        from escrow.testing.stacks import Background, RunningStack, own_stack

        background = Background()
        session.addfinalizer(background.close)
        if self.is_foreign:
            return RunningStack(
                background,
                api_url=self._config.getoption("escrow_url").rstrip("/"),
                bank_url=self._config.getoption("escrow_bank_url").rstrip("/"),
            )
        running = own_stack(background)
        stack = background.run(running.__aenter__())
        session.addfinalizer(lambda: background.run(running.__aexit__(None, None, None)))
        return stack
