"""Settings of every process, from the environment; no secret has a default.

A variable may also be a file of the same name in lower case in the folder that ESCROW_KEYS_FOLDER names, as
container platforms mount secrets.

Where Temporal is comes from Temporal's own variables (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY,
TEMPORAL_TLS…, see `escrow.stack.temporal_client`), so that Temporal Cloud or any cluster works unchanged.
"""

import os
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

_KEY_BYTES = 32


class SettingsError(Exception):
    """Settings are absent or wrong; the message lists each variable and never quotes a value."""


def _hex_key(value: SecretStr) -> SecretStr:
    try:
        length = len(bytes.fromhex(value.get_secret_value()))
    except ValueError:
        length = 0
    if length != _KEY_BYTES:
        # The error must not carry the value: pydantic prints the input unless told otherwise.
        raise ValueError(f"must be {_KEY_BYTES} bytes as hexadecimal digits")
    return value


HexKey = Annotated[SecretStr, AfterValidator(_hex_key)]


class Settings(BaseSettings):
    """What API, worker and command line need to know. Variables carry the prefix ESCROW_ unless said otherwise.

    Args:
        database_url: DATABASE_URL, PostgreSQL 15 or later, best as the application's role `escrow_app`.
        database_owner_url: DATABASE_OWNER_URL, the same as the role that owns the tables, for `escrow migrate` alone;
            DATABASE_URL when not given.
        bank_url: base URL of the bank.
        bank_key: shared key of the connection to the bank; signs our requests and the bank's notices.
        data_key: AES-256 key of personal data at rest, 64 hexadecimal digits.
        index_key: HMAC key of the blind indexes over personal data, 64 hexadecimal digits.
        api_host: address that the API listens on.
        api_port: port that the API listens on.
        public_url: base URL under which members' browsers reach the API, for the links to hosted pages; None for its
            own address, which suits one machine only.
        metrics_host: address of a process's metrics pages.
        metrics_port: port of our own Prometheus metrics in a worker; None for no page.
        sdk_metrics_port: port of the Temporal SDK's Prometheus metrics in a worker; None for no page.
        leased_line_host: address of the API's second listener, which asks every client for a certificate.
        leased_line_port: its port; None for no second listener.
        leased_line_certificate_file: the listener's own certificate with its chain, PEM.
        leased_line_key_file: the private key to it, PEM without a passphrase.
        leased_line_client_ca_file: the authorities that sign the platforms' certificates, PEM.
        log_format: `json` for machines, `console` for people.
        log_level: lowest level written.
        bank_connect_seconds: how long a connection to the bank may take.
        bank_answer_seconds: how long the bank may take to answer one request.
        ledger_answer_seconds: how long one statement of the ledger may take.
        command_answer_seconds: how long the API waits for a workflow to answer a command.
        rounds_seconds: how long it is from one round after what is late or lost to the next; all workers say the same.
        shutdown_grace_seconds: how long a worker may finish what it has begun after SIGTERM.
        working_days: days on which the working calendar is overridden, as JSON: {"2028-01-03": true}.
        time_may_be_skipped: whether an order's time may be skipped, as for demonstrations; never where money is real.
        worker_deployment_name: name of the workers' deployment, when their versions are told apart.
        worker_build_id: version of this worker's code in its deployment; None for workers without versions.
    """

    model_config = SettingsConfigDict(env_prefix="ESCROW_", hide_input_in_errors=True, frozen=True)

    database_url: str = Field(validation_alias="DATABASE_URL", min_length=1, repr=False)
    database_owner_url: str | None = Field(
        default=None, validation_alias="DATABASE_OWNER_URL", min_length=1, repr=False
    )
    bank_url: str = Field(min_length=1)
    bank_key: SecretStr = Field(min_length=1)
    data_key: HexKey
    index_key: HexKey
    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8080, ge=0, le=65535)
    public_url: str | None = Field(default=None, pattern=r"^https?://[^/?#]+$")
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    sdk_metrics_port: int | None = Field(default=None, ge=0, le=65535)
    leased_line_host: str = "127.0.0.1"
    leased_line_port: int | None = Field(default=None, ge=0, le=65535)
    leased_line_certificate_file: Path | None = None
    leased_line_key_file: Path | None = None
    leased_line_client_ca_file: Path | None = None
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    bank_connect_seconds: float = Field(default=2, gt=0)
    bank_answer_seconds: float = Field(default=10, gt=0)
    ledger_answer_seconds: float = Field(default=10, gt=0)
    command_answer_seconds: float = Field(default=10, gt=0)
    rounds_seconds: float = Field(default=60, gt=0)
    shutdown_grace_seconds: float = Field(default=30, gt=0)
    working_days: dict[date, bool] = Field(default_factory=dict)
    time_may_be_skipped: bool = False
    worker_deployment_name: str = "escrow"
    worker_build_id: str | None = None


def variable_of(field_name: str) -> str:
    """Name of the environment variable that sets a field: `bank_url` is set by `ESCROW_BANK_URL`."""
    alias = Settings.model_fields[field_name].validation_alias
    return alias if isinstance(alias, str) else f"ESCROW_{field_name.upper()}"


def load_settings() -> Settings:
    """Settings from the environment of this process.

    Raises:
        SettingsError: a variable is absent or wrong; all of them are listed at once.
    """
    try:
        return Settings(_secrets_dir=os.environ.get("ESCROW_KEYS_FOLDER"))
    except ValidationError as error:
        raise SettingsError(_explain(error)) from None


def _explain(error: ValidationError) -> str:
    lines = ["these settings are absent or wrong (environment variables):"]
    for problem in error.errors(include_input=False, include_url=False):
        name = str(problem["loc"][0])
        variable = variable_of(name) if name in Settings.model_fields else name
        lines.append(f"  {variable}: {'not set' if problem['type'] == 'missing' else problem['msg']}")
    lines.append("`escrow up` sets them for the processes it starts; docs/operations.md lists them all")
    return "\n".join(lines)
