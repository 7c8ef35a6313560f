"""The file from which an operator opens a platform: YAML, validated before anything is written."""

from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from escrow.domain.errors import Refused
from escrow.domain.platforms.access import PlatformAccess
from escrow.domain.platforms.config import BusinessModel, PlatformConfig, Settlement
from escrow.domain.requests import PLATFORM_NUMBER_PATTERN
from escrow.registry.platforms.yaml_lines import keys_standing_twice, line_of


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class OwnBankAccount(_Part):
    """The platform's own bank account, under its company name: where it withdraws its own money to."""

    account_id: str = Field(pattern=PLATFORM_NUMBER_PATTERN)
    account_no: str
    cnaps_code: str = ""
    bank_name: str = ""


class PlatformFile(_Part):
    """What an operator writes down to open a platform.

    Args:
        name: the platform's company name, as the bank knows it.
        custody_account_no: the custody account at the bank; absent when the bank opens one on request.
        contact_mobile: who authorises withdrawals of the platform's own money, and is told by SMS where the
            configuration says `sms_contact: platform`; kept encrypted.
        access: over which lines the platform may call; absent, what holds now stays, for a new platform the default.
    """

    platform_no: str = Field(pattern=PLATFORM_NUMBER_PATTERN)
    name: str = Field(min_length=1, max_length=120)
    custody_account_no: Annotated[str, Field(pattern=r"^[0-9]{9,32}$")] | None = None
    contact_mobile: Annotated[str, Field(pattern=r"^1[3-9][0-9]{9}$")] | None = None
    own_bank_account: OwnBankAccount | None = None
    access: PlatformAccess | None = None
    config: PlatformConfig = PlatformConfig()

    @model_validator(mode="after")
    def _own_money_never_waits(self) -> Self:
        # A rule for what is newly written down; configurations already stored are read as they are.
        self_operated = self.config.business_model is BusinessModel.SELF_OPERATED
        if self_operated and self.config.release_settlement is not Settlement.T_PLUS_0:
            raise ValueError("release_settlement must be T+0 for a self_operated platform: its own money never waits")
        return self

    @field_validator("access")
    @classmethod
    def _can_call_at_all(cls, access: PlatformAccess | None) -> PlatformAccess | None:
        # A command may take the last certificate away, since a stolen one must end at once; nobody writes that down.
        if access is not None and not access.is_open:
            raise ValueError("opens no line: allow public_internet, or register a certificate for leased_line")
        return access


def read_platform_file(path: Path) -> PlatformFile:
    """Read and check a platform's file.

    Raises:
        Refused: `platform_file`; the message names each wrong field with its line.
        OSError: the file cannot be read.
    """
    text = path.read_text(encoding="utf-8")
    try:
        root, document = yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Refused("platform_file", f"{path.name} is not YAML: {error}") from error
    if root is None:
        raise Refused("platform_file", f"{path.name} is empty")
    wrong = [(line, f"{key} stands twice; keep one of them") for line, key in keys_standing_twice(root)]
    try:
        file = PlatformFile.model_validate(document)
    except ValidationError as error:
        wrong += [
            (line_of(root, item["loc"]), f"{'.'.join(map(str, item['loc'])) or 'the file'}: {item['msg']}")
            for item in error.errors(include_input=False, include_url=False)
        ]
        raise _refusal(path, wrong) from error
    if wrong:
        raise _refusal(path, wrong)
    return file


def _refusal(path: Path, wrong: list[tuple[int, str]]) -> Refused:
    sentences = [f"{path.name}:{line}: {sentence}" for line, sentence in sorted(wrong)]
    return Refused("platform_file", "\n".join(sentences), {"wrong": sentences})
