"""The system's Chromium, for tests that look at pages as people do."""

import os
import shutil

import pytest

ABSENCE = "no Chromium on this machine (Debian: apt-get install chromium)"


def find_chromium() -> str | None:
    """Path of the installed Chromium, None where there is none; there the test fails where CI says that one must be."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None and os.environ.get("CI") == "true":
        pytest.fail(ABSENCE)
    return path


def chromium_path() -> str:
    """As `find_chromium`, for a test that is skipped without one."""
    path = find_chromium()
    if path is None:
        pytest.skip(f"{ABSENCE}: nothing is looked at in a browser")
    return path
