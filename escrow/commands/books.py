"""The books as commands use them: settings, ledger and registry, opened together and closed together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from escrow.ledger.engine import Recorder
from escrow.ledger.personal_data import PersonalDataBox
from escrow.registry.registry import Registry
from escrow.settings import Settings, load_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Everything that a command needs to read and write the books."""

    settings: Settings
    recorder: Recorder
    registry: Registry


@asynccontextmanager
async def opened_books() -> AsyncIterator[Books]:
    """The books that the settings name.

    Raises:
        SettingsError: settings are absent or wrong.
    """
    settings = load_settings()
    box = PersonalDataBox.from_hex(
        data_key=settings.data_key.get_secret_value(), index_key=settings.index_key.get_secret_value()
    )
    recorder = Recorder(settings.database_url, answer_seconds=settings.ledger_answer_seconds)
    try:
        yield Books(settings=settings, recorder=recorder, registry=Registry(recorder, box))
    finally:
        await recorder.close()
