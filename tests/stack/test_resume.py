"""`escrow resume` beside somebody who holds the id of the rounds: nothing that one says is shown."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from escrow.commands.resume import _resume
from escrow.stack.payloads import data_converter
from escrow.stack.processes import StackError, free_port
from escrow.stack.temporal import TemporalDevServer
from tests.squatters import ANSWERS, MARK, SQUATTERS, squatters


@pytest.fixture
async def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    server = TemporalDevServer(tmp_path / "temporal", port=free_port(), ui_port=free_port())
    await server.start()
    monkeypatch.setenv("TEMPORAL_ADDRESS", server.address)
    yield await Client.connect(server.address, data_converter=data_converter)
    await server.stop()


@pytest.mark.parametrize(
    ("queue", "workflow"), [(SQUATTERS, "Squatter"), (SQUATTERS, "Rounds"), ("orders", "Squatter")]
)
async def test_a_stranger_at_the_id_of_the_rounds_is_not_asked(
    client: Client, capsys: pytest.CaptureFixture[str], queue: str, workflow: str
) -> None:
    async with squatters(client, queue) as them:
        stranger = await them.sit_at("rounds", workflow=workflow)
        with pytest.raises(StackError, match="did not answer"):
            await _resume("D-1", None)
        assert await stranger.query("answered", result_type=int) == 0
    assert capsys.readouterr().out == ""


async def test_what_is_no_answer_of_the_rounds_is_none(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    """By a worker that is not ours, on our own queue: what is answered has the form of ours, or counts as silence."""
    silent = []
    async with squatters(client, "orders") as them:
        await them.sit_at("rounds", workflow="Rounds")
        for _ in ANSWERS:
            try:
                await _resume("D-1", None)
            except StackError as error:
                silent.append(str(error))
    assert len(silent) == len(ANSWERS) - 1, "all but the one that has the form of ours"
    assert MARK not in "".join(silent)
    assert capsys.readouterr().out == f"{MARK}\n"
