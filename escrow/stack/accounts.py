"""Whom PostgreSQL runs as: it refuses to run as root, and its user must reach binaries and data."""

import os
import pwd
import re
from pathlib import Path

from escrow.stack.processes import Account, StackError

#: capabilities(7): read and enter any folder; and the wider one that containers commonly leave to root.
_CAP_DAC_READ_SEARCH = 2
_CAP_DAC_OVERRIDE = 1


def unprivileged(folder: Path, *needs: Path) -> Account | None:
    """Account for a server that refuses root: None when we are not root.

    An existing `folder` keeps its owner; a new one gets `postgres` where the machine knows that name, else
    `nobody`. Where a parent folder is closed to that user (a checkout below root's home folder, a test's
    temporary folder), the child keeps the one capability to enter it, instead of a copy being made elsewhere.

    Args:
        folder: where the server's data lies or will lie.
        needs: further paths it must read.

    Raises:
        StackError: no such account, or a closed folder and no capability to give.
    """
    if os.geteuid() != 0:
        return None
    if folder.exists() and folder.stat().st_uid != 0:
        entry = pwd.getpwuid(folder.stat().st_uid)
    else:
        entry = _first_known("postgres", "nobody")
    uid, gid = entry.pw_uid, entry.pw_gid
    closed = [parent for path in (folder, *needs) for parent in path.resolve().parents if not _may_enter(parent, entry)]
    return Account(uid=uid, gid=gid, capability=_capability_for(closed) if closed else None)


def _first_known(*names: str) -> pwd.struct_passwd:
    for name in names:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise StackError(f"PostgreSQL does not run as root and this machine has none of the users {', '.join(names)}")


def _may_enter(folder: Path, entry: pwd.struct_passwd) -> bool:
    if not folder.exists():
        return True
    status = folder.stat()
    if status.st_uid == entry.pw_uid:
        return bool(status.st_mode & 0o100)
    if status.st_gid == entry.pw_gid:
        return bool(status.st_mode & 0o010)
    return bool(status.st_mode & 0o001)


def _capability_for(closed: list[Path]) -> int:
    status = Path("/proc/self/status")
    effective = re.search(r"^CapEff:\s*([0-9a-f]+)$", status.read_text(), re.MULTILINE) if status.exists() else None
    ours = int(effective[1], 16) if effective else 0
    for capability in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE):
        if ours >> capability & 1:
            return capability
    raise StackError(f"PostgreSQL's user may not enter {closed[0]}: choose another folder or open it (chmod o+x)")
