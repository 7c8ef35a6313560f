"""Configurations of platforms: versions that are added and never changed, each with who asked for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.domain.errors import Refused
from escrow.domain.money.journal import Basis, Change, Posting
from escrow.domain.platforms.authorisations import AuthorisedOperation
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.platforms.rules import require_allowed_to_platform
from escrow.domain.requests import derived
from escrow.ledger.books_time import books_now_within
from escrow.ledger.engine import Recorder
from escrow.ledger.posting import one_at_a_time, post_within, transaction
from escrow.registry.tables import PlatformConfigRow

#: Versions never change, so those that running orders keep are read once; some bound must be.
_VERSIONS_KNOWN_AT_MOST = 1_000
#: Its method is nobody's to choose any more.
_FIXED_OPERATION = AuthorisedOperation.PLATFORM_WITHDRAW.value


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigVersion:
    """One version of a configuration; `recorded_by` is `operator` or `platform`, `request_no` the platform's."""

    platform_no: str
    version: int
    config: PlatformConfig
    recorded_at: datetime
    recorded_by: str
    request_no: str


class Configurations:
    """Reads and adds versions of configurations.

    Args:
        recorder: the ledger's connections.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._known: dict[tuple[str, int], ConfigVersion] = {}

    async def current(self, platform_no: str) -> ConfigVersion:
        """The newest version.

        Raises:
            Refused: `not_found`.
        """
        row = await self._recorder.row(
            "SELECT max(version) AS newest FROM platform_config WHERE platform_no = $1", platform_no
        )
        if row is None or row["newest"] is None:
            raise _no_platform(platform_no)
        return await self.version(platform_no, row["newest"])

    async def version(self, platform_no: str, version: int) -> ConfigVersion:
        """One version, as it was and will be.

        Raises:
            Refused: `not_found`.
        """
        known = self._known.get((platform_no, version))
        if known is not None:
            return known
        async with self._recorder.session() as session:
            row = await session.get(PlatformConfigRow, (platform_no, version))
        if row is None:
            raise Refused("not_found", f"There is no version {version} of the configuration.")
        if len(self._known) >= _VERSIONS_KNOWN_AT_MOST:
            self._known.clear()
        found = self._known[platform_no, version] = config_version(row)
        return found

    async def history(self, platform_no: str, *, before: int | None = None, limit: int = 50) -> list[ConfigVersion]:
        """Versions, newest first, below `before` if given."""
        query = select(PlatformConfigRow).where(PlatformConfigRow.platform_no == platform_no)
        if before is not None:
            query = query.where(PlatformConfigRow.version < before)
        async with self._recorder.session() as session:
            rows = (await session.exec(query.order_by(col(PlatformConfigRow.version).desc()).limit(limit))).all()
        return [config_version(row) for row in rows]

    async def set_by_operator(self, platform_no: str, config: PlatformConfig) -> bool:
        """Make `config` the current version; False when it is already.

        Raises:
            Refused: `not_found`.
        """
        async with transaction(self._recorder) as session:
            await one_at_a_time(session, f"config/{platform_no}")
            current = config_version(await current_row(session, platform_no))
            if current.config == config:
                return False
            number = current.version + 1
            await post_within(session, _posting(platform_no, number, config, derived("", "platform", "config", number)))
            await add_config(session, platform_no, number, config, recorded_by="operator")
        return True

    async def set_by_platform(
        self, platform_no: str, config: PlatformConfig, *, request_no: str, consent: Basis
    ) -> tuple[ConfigVersion, bool]:
        """Add the version that a platform asks for; the flag says whether it is new. A repeat gives the same version.

        Args:
            request_no: the platform's number of its request.
            consent: the recorded consent that it is exactly this configuration.

        Raises:
            Refused: `operator_only`, `not_found`, or the consent does not hold.
        """
        asked_before = select(PlatformConfigRow).where(
            PlatformConfigRow.platform_no == platform_no, PlatformConfigRow.request_no == request_no
        )
        async with transaction(self._recorder) as session:
            await one_at_a_time(session, f"config/{platform_no}")
            row = (await session.exec(asked_before)).one_or_none()
            if row is not None:
                return config_version(row), False
            current = config_version(await current_row(session, platform_no))
            require_allowed_to_platform(current.config, config)
            number = current.version + 1
            posting = _posting(
                platform_no, number, config, derived("", "platform", "configure", request_no), bases=(consent,)
            )
            await post_within(session, posting)
            row = await add_config(session, platform_no, number, config, recorded_by="platform", request_no=request_no)
        return config_version(row), True


async def current_row(session: AsyncSession, platform_no: str) -> PlatformConfigRow:
    """Row of the newest version.

    Raises:
        Refused: `not_found`, there is no such platform.
    """
    query = (
        select(PlatformConfigRow)
        .where(PlatformConfigRow.platform_no == platform_no)
        .order_by(col(PlatformConfigRow.version).desc())
        .limit(1)
    )
    row = (await session.exec(query)).one_or_none()
    if row is None:
        raise _no_platform(platform_no)
    return row


async def add_config(
    session: AsyncSession,
    platform_no: str,
    version: int,
    config: PlatformConfig,
    *,
    recorded_by: str,
    request_no: str | None = None,
) -> PlatformConfigRow:
    """Add the row of a new version in the session's transaction."""
    row = PlatformConfigRow(
        platform_no=platform_no,
        version=version,
        document=_document(config),
        recorded_at=await books_now_within(session, platform_no),
        recorded_by=recorded_by,
        request_no=request_no or "",
    )
    session.add(row)
    return row


def config_version(row: PlatformConfigRow) -> ConfigVersion:
    """A stored version; what did not exist yet when it was stored has its default.

    So has how the platform's own withdrawals are authorised: older versions may say that nobody has to.
    """
    return ConfigVersion(
        platform_no=row.platform_no,
        version=row.version,
        config=PlatformConfig.model_validate(_as_read_now(row.document)),
        recorded_at=row.recorded_at,
        recorded_by=row.recorded_by,
        request_no=row.request_no,
    )


def _no_platform(platform_no: str) -> Refused:
    return Refused("not_found", f"There is no platform {platform_no}.")


def _as_read_now(document: Mapping[str, Any]) -> dict[str, Any]:
    methods = {name: method for name, method in document.get("authorisation", {}).items() if name != _FIXED_OPERATION}
    return {**document, "authorisation": methods}


def _document(config: PlatformConfig) -> dict[str, Any]:
    return config.model_dump(mode="json")


def _posting(
    platform_no: str, version: int, config: PlatformConfig, request_no: str, *, bases: tuple[Basis, ...] = ()
) -> Posting:
    document = _document(config)
    return Posting(
        platform_no=platform_no,
        request_no=request_no,
        content={"config": document},
        changes=(
            Change(
                kind="platform",
                object_no=platform_no,
                event_type="platform.configured",
                status="open",
                body={"config": document, "config_version": version},
            ),
        ),
        bases=bases,
    )
