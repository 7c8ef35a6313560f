"""The test session as a whole: the tables that it prints, and how it ends."""

from typing import Any

import pytest

from escrow.leave import leave

_EXIT_STATUS = pytest.StashKey[int]()
_TABLES = pytest.StashKey[list[str]]()


@pytest.fixture
def tables(pytestconfig: pytest.Config) -> list[str]:
    """What is to be printed when all tests are done, by whichever process ran them."""
    return pytestconfig.stash.setdefault(_TABLES, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the tables of a process that ran a part of the tests."""
    node.config.stash.setdefault(_TABLES, []).extend(getattr(node, "workeroutput", {}).get("tables", []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the tables, whether or not the tests passed."""
    for table in config.stash.get(_TABLES, []):
        terminalreporter.write_line("")
        terminalreporter.write_line(table)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remember how the session ended, which `pytest_unconfigure` is not told; hand the tables to who prints them."""
    session.config.stash[_EXIT_STATUS] = int(exitstatus)
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["tables"] = session.config.stash.get(_TABLES, [])


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave after everybody else's hook: a session that used Temporal may abort in the interpreter's finalisation."""
    status = config.stash.get(_EXIT_STATUS, None)
    if status is None:
        return  # pytest was only asked something (--version, a usage error): no session, no Temporal
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.flush()  # it writes to a copy of standard output of its own while output is captured
    leave(status)
