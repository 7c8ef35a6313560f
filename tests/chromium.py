"""The system's Chromium, for tests that take screenshots."""

import os
import shutil

import pytest


def chromium_path() -> str:
    """Path of the installed Chromium; without one the test is skipped, and fails where CI says that one must be."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        message = "no Chromium on this machine: install it (Debian: apt-get install chromium) for screenshot tests"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return path
