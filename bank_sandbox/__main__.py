"""`python -m bank_sandbox`: run the bank as a process of its own."""

import argparse
import logging
import os
import sys
from dataclasses import fields
from datetime import datetime
from pathlib import Path

import uvicorn

from bank_sandbox.app import create_app
from bank_sandbox.options import Options

#: Longer than any client keeps an idle connection: who uses one in the moment in which it is closed cannot tell whether
#: its request was taken.
_KEEPS_CONNECTIONS_SECONDS = 75

_SECONDS = [field for field in fields(Options) if isinstance(field.default, float)]


def _aware(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError("the time needs a zone, e.g. 2026-03-03T10:00:00+08:00")
    return moment


def main() -> int:
    """Parse the arguments, serve until SIGINT or SIGTERM, answer the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bank_sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder of the bank's books")
    parser.add_argument("--key-file", type=Path, help="file with the connection's secret; else BANK_KEY")
    parser.add_argument("--notice-url", default="", help="where signed notices go; remembered")
    parser.add_argument("--public-url", help="where payers' browsers and wallets reach this bank; else host and port")
    parser.add_argument("--start-at", type=_aware, help="first time of new books, ISO 8601 with zone")
    for field in _SECONDS:
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=float, default=field.default)
    arguments = parser.parse_args()
    key = arguments.key_file.read_text().strip() if arguments.key_file else os.environ.get("BANK_KEY", "")
    if not key:
        sys.stderr.write("the connection needs a secret: set BANK_KEY or give --key-file\n")
        return 2
    options = Options(
        data=arguments.data,
        key=key.encode(),
        notice_url=arguments.notice_url,
        start_at=arguments.start_at,
        public_url=(arguments.public_url or f"http://{arguments.host}:{arguments.port}").rstrip("/"),
        **{field.name: getattr(arguments, field.name) for field in _SECONDS},
    )
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    # The access log would hold account numbers; the open connections of clients must not delay the end.
    uvicorn.run(
        create_app(options),
        host=arguments.host,
        port=arguments.port,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=_KEEPS_CONNECTIONS_SECONDS,
        timeout_graceful_shutdown=1,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
