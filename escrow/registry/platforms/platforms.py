"""Platforms: opened from a file by an operator, configured in versions, reached by bearer keys."""

import hashlib
import secrets
import time
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import col, select, update

from escrow.domain.errors import Refused
from escrow.domain.money.journal import Change, Posting
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.requests import derived
from escrow.domain.time.calendars import SHANGHAI
from escrow.ledger.books_time import begin_story, books_now_within
from escrow.ledger.engine import Reader, Recorder
from escrow.ledger.personal_data import PersonalDataBox
from escrow.ledger.posting import post_within, run, transaction
from escrow.registry.platforms.configurations import Configurations, add_config, config_version, current_row
from escrow.registry.platforms.file import PlatformFile
from escrow.registry.platforms.functional_sub_accounts import open_sub_accounts
from escrow.registry.tables import PlatformKeyRow, PlatformRow

_KEY_PREFIX = "esk_"
#: How long a key that was found good is not looked up again; so much longer a revoked one may work.
_KEY_KNOWN_SECONDS = 1.0
_KEYS_KNOWN_AT_MOST = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """An open platform with its current configuration; the contact's mobile is personal data."""

    platform_no: str
    name: str
    custody_account_no: str
    contact_mobile: str | None
    config: PlatformConfig
    config_version: int
    opened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedKey:
    """A new bearer key. `key` is shown this once and kept nowhere; `key_id` names it for revocation."""

    key_id: str
    key: str


async def custody_account_of(reader: Reader, platform_no: str) -> str:
    """Number of a platform's custody account at the bank; it never changes.

    Raises:
        Refused: `not_found`.
    """
    row = await reader.row("SELECT custody_account_no FROM platform WHERE platform_no = $1", platform_no)
    if row is None:
        raise _not_found(platform_no)
    found: str = row["custody_account_no"]
    return found


class Platforms:
    """Opens, configures and finds platforms, and knows their keys.

    Args:
        recorder: the ledger's connections.
        box: seals and opens personal data.
    """

    def __init__(self, recorder: Recorder, box: PersonalDataBox) -> None:
        self._recorder = recorder
        self._box = box
        self.configurations = Configurations(recorder)
        self._known_keys: dict[bytes, tuple[str, float]] = {}

    async def open(
        self, file: PlatformFile, *, custody_account_no: str, begin_at: datetime | None = None
    ) -> tuple[Platform, bool]:
        """Open the platform that the file describes; the flag says whether it is new. Its first day is that of its
        books.

        Its functional sub-accounts open with it; one that was opened before gets those that it lacks.

        Raises:
            Refused: `request_no_reused`, the platform is open with another name, account or contact.
        """
        async with transaction(self._recorder) as session:
            if begin_at is not None and await session.get(PlatformRow, file.platform_no) is None:
                await begin_story(session, file.platform_no, begin_at)
            now = await books_now_within(session, file.platform_no)
            await run(
                session,
                "INSERT INTO platform_day (platform_no, day) VALUES (:no, :day) ON CONFLICT DO NOTHING",
                no=file.platform_no,
                day=now.astimezone(SHANGHAI).date(),
            )
            receipt = await post_within(session, self._opening(file, custody_account_no))
            await open_sub_accounts(session, file.platform_no)
            if not receipt.repeated:
                session.add(self._sealed(file, custody_account_no, now))
                await session.flush()
                await add_config(session, file.platform_no, 1, file.config, recorded_by="operator")
        return await self.get(file.platform_no), not receipt.repeated

    async def configure(self, platform_no: str, config: PlatformConfig) -> tuple[Platform, bool]:
        """As an operator, make `config` the current configuration; the flag says whether it was another before.

        Orders keep the configuration they were signed under.

        Raises:
            Refused: `not_found`.
        """
        changed = await self.configurations.set_by_operator(platform_no, config)
        return await self.get(platform_no), changed

    async def get(self, platform_no: str) -> Platform:
        """Return the platform with its current configuration.

        Raises:
            Refused: `not_found`.
        """
        async with self._recorder.session() as session:
            row = await session.get(PlatformRow, platform_no)
            if row is None:
                raise _not_found(platform_no)
            current = config_version(await current_row(session, platform_no))
        return Platform(
            platform_no=row.platform_no,
            name=row.name,
            custody_account_no=row.custody_account_no,
            contact_mobile=None
            if row.contact_mobile_sealed is None
            else self._box.open(row.contact_mobile_sealed, place=f"{platform_no}/platform/contact_mobile"),
            config=current.config,
            config_version=current.version,
            opened_at=row.opened_at,
        )

    async def numbers(self) -> list[str]:
        """Numbers of all platforms, ascending."""
        async with self._recorder.session() as session:
            return list((await session.exec(select(PlatformRow.platform_no).order_by(PlatformRow.platform_no))).all())

    async def of_custody_account(self, custody_account_no: str) -> str | None:
        """Number of the platform with this custody account, None for a stranger's."""
        row = await self._recorder.row(
            "SELECT platform_no FROM platform WHERE custody_account_no = $1", custody_account_no
        )
        return None if row is None else row["platform_no"]

    async def issue_key(self, platform_no: str) -> IssuedKey:
        """Make a new bearer key, which works until it is revoked.

        Raises:
            Refused: `not_found`.
        """
        await self.get(platform_no)
        issued = IssuedKey(key_id=f"key-{secrets.token_hex(6)}", key=_KEY_PREFIX + secrets.token_urlsafe(32))
        async with transaction(self._recorder) as session:
            session.add(
                PlatformKeyRow(
                    key_sha256=_digest(issued.key),
                    platform_no=platform_no,
                    key_id=issued.key_id,
                    created_at=await books_now_within(session, platform_no),
                )
            )
        return issued

    async def revoke_key(self, platform_no: str, key_id: str) -> None:
        """End a key; ending it again changes nothing.

        Raises:
            Refused: `not_found`.
        """
        async with transaction(self._recorder) as session:
            result = await session.exec(
                update(PlatformKeyRow)
                .where(col(PlatformKeyRow.platform_no) == platform_no, col(PlatformKeyRow.key_id) == key_id)
                .values(revoked_at=text("coalesce(revoked_at, now())"))
            )
        if result.rowcount == 0:
            raise Refused("not_found", f"There is no key {key_id}.")

    async def of_key(self, key: str) -> str | None:
        """Number of the platform that a key opens, None for an unknown one and, within a second, a revoked one."""
        digest, now = _digest(key), time.monotonic()
        platform_no, known_until = self._known_keys.get(digest, (None, 0.0))
        if now < known_until:
            return platform_no
        row = await self._recorder.row(
            "SELECT platform_no FROM platform_key WHERE key_sha256 = $1 AND revoked_at IS NULL", digest
        )
        found: str | None = None if row is None else row["platform_no"]
        if found is not None:
            if len(self._known_keys) >= _KEYS_KNOWN_AT_MOST:
                self._known_keys.clear()
            self._known_keys[digest] = (found, now + _KEY_KNOWN_SECONDS)
        return found

    def _opening(self, file: PlatformFile, custody_account_no: str) -> Posting:
        config = file.config.model_dump(mode="json")
        mobile_index = self._box.blind_index(file.contact_mobile or "", field=f"{file.platform_no}/mobile").hex()
        return Posting(
            platform_no=file.platform_no,
            request_no=derived("", "platform", "open"),
            content={"name": file.name, "custody_account_no": custody_account_no, "contact_mobile": mobile_index},
            changes=(
                Change(
                    kind="platform",
                    object_no=file.platform_no,
                    event_type="platform.opened",
                    status="open",
                    body={"config": config, "config_version": 1},
                    must_be_new=True,
                ),
            ),
        )

    def _sealed(self, file: PlatformFile, custody_account_no: str, now: datetime) -> PlatformRow:
        mobile, place = file.contact_mobile, f"{file.platform_no}/platform/contact_mobile"
        return PlatformRow(
            platform_no=file.platform_no,
            name=file.name,
            custody_account_no=custody_account_no,
            contact_mobile_sealed=None if mobile is None else self._box.seal(mobile, place=place),
            opened_at=now,
        )


def _digest(key: str) -> bytes:
    # The key has 256 bits of its own, so one fast hash suffices: there is nothing to guess.
    return hashlib.sha256(key.encode()).digest()


def _not_found(platform_no: str) -> Refused:
    return Refused("not_found", f"There is no platform {platform_no}.")
