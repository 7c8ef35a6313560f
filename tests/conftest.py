"""The test session as a whole: how it ends."""

import pytest

from escrow.leave import leave

_EXIT_STATUS = pytest.StashKey[int]()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remember how the session ended; `pytest_unconfigure` is not told."""
    session.config.stash[_EXIT_STATUS] = int(exitstatus)


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
