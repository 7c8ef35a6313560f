"""The test session as a whole: what it prints at its end, what it must not leave behind, and how it ends."""

import gc
import os
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from escrow.leave import leave
from tests import left_behind
from tests.beginning import choose
from tests.servers import platforms, server, stack

__all__ = ["platforms", "server", "stack"]

# An example may take as long as it takes: how fast the machine is says nothing about a rule.
settings.register_profile("at any speed", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("at any speed")

_EXIT_STATUS = pytest.StashKey[int]()
_TABLES = pytest.StashKey[list[str]]()
_SESSION = pytest.StashKey[left_behind.TestSession]()
#: Processes of xdist that run tests.
_RUNNING = pytest.StashKey[set[str]]()
_LEFT = pytest.StashKey[list[str]]()
#: What takes longest, as its names begin; most of it has servers of its own.
_FIRST = (
    "faults/test_killed_orders",
    "faults/test_killed_withdrawals",
    "faults/test_bank_faults",
    "api/",
    "pages/",
    "testing/test_elsewhere",
    "journeys/test_demo",
    "stories/",
    "faults/",
    "test_left_behind",
    "stack/test_up",
    "journeys/",
    "workflows/",
    "ledger/",
    "stack/",
    "channels/",
    "histories/",
    "testing/",
    "test_",
)
#: Names of groups, and how the files of each begin: a house or a stack takes long to start, and costs while it stands.
_TOGETHER = {
    "one house": [f"tests/faults/test_killed_{what}.py" for what in ("servers", "batches")],
    "another house": [
        f"tests/faults/test_{what}.py" for what in ("bank_faults", "killed_money_in", "killed_debits", "killed_api")
    ],
    "one stack": ["tests/api/"],
    "another stack": [
        "tests/pages/",
        *(f"tests/journeys/test_{what}.py" for what in ("order_journeys", "screens", "skipping")),
    ],
    "the stack of stories": [
        "tests/testing/test_client.py",
        "tests/testing/test_documentation.py",
        "tests/testing/test_running_stack.py",
        "stories/",
    ],
}


@pytest.fixture
def tables(pytestconfig: pytest.Config) -> list[str]:
    """What is to be printed when all tests are done, by whichever process ran them."""
    return pytestconfig.stash.setdefault(_TABLES, [])


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Begin the session, before anything is put into a temporary folder; or become a part of one."""
    choose(config.getoption("--begin-at"))
    if not hasattr(config, "workerinput"):
        config.stash[_SESSION] = left_behind.begin()
        config.stash[_RUNNING] = set()
    else:
        # The terminal's interrupt reaches the session only, which passes it on once.
        os.setpgrp()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first, so that at the end no process works alone."""
    items.sort(key=lambda item: _order(item.nodeid))


def pytest_collection_finish() -> None:
    """What has been imported and collected stays: from now on nobody looks through it for what is unused."""
    gc.collect()
    gc.freeze()


def _order(nodeid: str) -> int:
    found = (place for place, beginning in enumerate(_FIRST) if nodeid.removeprefix("tests/").startswith(beginning))
    return next(found, len(_FIRST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """By files, as `--dist loadfile` says; but most files that share a house go to one process."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling  # with xdist only

    scheduling = LoadFileScheduling(config, log)
    file_of = scheduling._split_scope

    def group_of(nodeid: str) -> str:
        file = file_of(nodeid)
        return next((name for name, files in _TOGETHER.items() if file.startswith(tuple(files))), file)

    scheduling._split_scope = group_of
    return scheduling


@pytest.hookimpl(optionalhook=True)
def pytest_testnodeready(node: Any) -> None:
    """A process begins to run a part of the tests."""
    node.config.stash[_RUNNING].add(node.gateway.id)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the tables of a process that ran a part of the tests; it ends by itself now."""
    node.config.stash[_RUNNING].discard(node.gateway.id)
    node.config.stash.setdefault(_TABLES, []).extend(getattr(node, "workeroutput", {}).get("tables", []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the tables, whether or not the tests passed; then what was skipped and why, and what was left behind."""
    for table in config.stash.get(_TABLES, []):
        terminalreporter.write_line("")
        terminalreporter.write_line(table)
    skipped = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", []))
    if skipped:
        terminalreporter.section("skipped")
    for reason, count in sorted(skipped.items()):
        terminalreporter.write_line(f"{count} × {reason}")
    if left := config.stash.get(_LEFT, []):
        terminalreporter.section("left behind by the tests", red=True)
    for what in left:
        terminalreporter.write_line(what)


def _reason(report: pytest.TestReport) -> str:
    """Why a test was skipped, as the test says it."""
    return report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else str(report.longrepr)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """An interrupted session ends what its processes do in order, before xdist ends the processes themselves."""
    if exitstatus == pytest.ExitCode.INTERRUPTED and session.config.stash.get(_RUNNING, set()):
        session.config.stash[_SESSION].interrupt_children()


@pytest.hookimpl(trylast=True, specname="pytest_sessionfinish")
def pytest_sessionfinish_at_last(session: pytest.Session) -> None:
    """When all fixtures and all processes of xdist have ended: hand on the tables, look for what is left."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["tables"] = session.config.stash.get(_TABLES, [])
    elif ours := session.config.stash.get(_SESSION, None):
        ours.wait_for_ends()
        session.config.stash[_LEFT] = ours.leftovers()
        if session.config.stash[_LEFT] and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
    # `pytest_unconfigure` is not told how the session ended.
    session.config.stash[_EXIT_STATUS] = int(session.exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave after everybody else's hook: a session that used Temporal may abort in the interpreter's finalisation."""
    if ours := config.stash.get(_SESSION, None):
        ours.remove_folder()
    status = config.stash.get(_EXIT_STATUS, None)
    if status is None:
        return  # pytest was only asked something (--version, a usage error): no session, no Temporal
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.flush()  # it writes to a copy of standard output of its own while output is captured
    leave(status)
