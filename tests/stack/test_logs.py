"""Logs: one JSON object a line, order numbers in full, personal data never."""

import json
import subprocess
import sys

import pytest

from escrow.logs import mask_numbers

_SCRIPT = """
import logging
import structlog
from escrow.logs import configure_logs
configure_logs("json")
log = structlog.get_logger("money")
log.info("paid to 6216261000000000018", order_no="20261123000011112222", amount_fen=1860000000000)
log.info("member opened", body={"mobile": "13552535506", "bank_key": "abc"}, payment_password="opensesame")
try:
    raise ValueError("for 34112619770921836X")
except ValueError:
    log.exception("refused")
logging.getLogger("library").warning("called for %s", "13552535506")
"""


@pytest.fixture(scope="module")
def lines() -> list[dict[str, object]]:
    answer = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in answer.stdout.splitlines()]


def test_an_order_and_its_amount_are_there_in_full(lines: list[dict[str, object]]) -> None:
    assert lines[0]["order_no"] == "20261123000011112222"
    assert lines[0]["amount_fen"] == 1860000000000


def test_no_account_identity_or_mobile_number_and_no_secret_gets_through(lines: list[dict[str, object]]) -> None:
    text = json.dumps(lines)
    for secret in ("6216261000000000018", "13552535506", "34112619770921836X", "abc", "opensesame"):
        assert secret not in text
    assert lines[0]["event"] == "paid to 621***0018"


def test_libraries_speak_the_same_way(lines: list[dict[str, object]]) -> None:
    assert lines[3]["event"] == "called for 135***5506"
    assert lines[3]["logger"] == "library"


@pytest.mark.parametrize("text", ["D-1001:M2:release:1", "2026-11-23T05:00:00Z", "1234567890", "186000.00"])
def test_ordinary_numbers_are_left_alone(text: str) -> None:
    assert mask_numbers(text) == text
