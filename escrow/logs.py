"""Structured logs: one line a fact, with order numbers, without personal data.

Everything goes to standard output, that of libraries too. What looks like an account, identity or mobile number
is masked as a safety net; whoever writes a log line leaves such things out in the first place.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

#: Fields that name our own objects or the bank's lines: shown in full however long their digits are.
REFERENCES = frozenset(
    {
        "platform_no",
        "order_no",
        "member_no",
        "withdrawal_no",
        "request_no",
        "bank_serial_no",
        "workflow_id",
        "run_id",
        "timestamp",
    }
)
_SECRET_NAME = re.compile(r"password|secret|token|authorization|(^|_)key$|sms_code", re.IGNORECASE)
#: Mobiles have 11 digits, citizen IDs 18, accounts 9 to 32; shorter runs are too often something harmless.
_LONG_NUMBER = re.compile(r"(?<![\w.])(\d{3})\d{4,}(\d{3}[\dXx])(?!\w)")


def mask_numbers(text: str) -> str:
    """`text` with the middle of every number of 11 or more digits hidden: `622***…0018`."""
    return _LONG_NUMBER.sub(r"\1***\2", text)


def without_personal_data(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: hides secrets by field name and long numbers by their look, at any depth."""
    for name, value in event.items():
        if name not in REFERENCES:
            event[name] = _masked(name, value)
    return event


def _masked(name: str, value: Any) -> Any:
    if _SECRET_NAME.search(name):
        return "***"
    if isinstance(value, str):
        return mask_numbers(value)
    if isinstance(value, dict):
        return {key: _masked(str(key), item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_masked(name, item) for item in value]
    return value


def configure_logs(log_format: Literal["json", "console"] = "json", level: str = "INFO") -> None:
    """Set up structlog and the standard library's logging for this process, once at its start.

    Args:
        log_format: `json` gives one JSON object a line, `console` coloured text.
        level: lowest level written.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        cache_logger_on_first_use=True,
    )
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                without_personal_data,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        # uvicorn hangs handlers of its own on these; ours on the root is enough.
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    for name in ("httpx2", "httpcore2", "alembic"):
        # Every request and every migration step; the URLs carry account numbers.
        logging.getLogger(name).setLevel(logging.WARNING)
