"""First thing a child process runs: bind its life to its parent's, give up root, become the real program.

Run as a script with `python -I -S`, so it imports the standard library only. Linux tells a child of its
parent's death (prctl(2), PR_SET_PDEATHSIG); a `preexec_fn` could ask for that too, but it runs Python between
fork and exec of a process that has other threads (the Temporal client's), which may deadlock. Other systems
have no such call: there a SIGKILL of the parent leaves its children running.

The death signal is bound to the parent's *thread* that forked, so children are started from a thread that stays.
"""

import ctypes
import json
import os
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_SET_SECUREBITS = 28
_SECBIT_NO_SETUID_FIXUP = 4
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x20080522


def main(options_json: str, command: list[str]) -> None:
    """Replace this process by `command`; never returns.

    Args:
        options_json: `parent_pid`, `death_signal`, `uid`, `gid` (null: stay who we are) and `capability`: number
            of a Linux capability to keep after giving up root, or null.
        command: absolute path of the program and its arguments.
    """
    options = json.loads(options_json)
    if options["uid"] is not None:
        _become(options["uid"], options["gid"], options["capability"])
    if sys.platform == "linux":
        # After the change of user, which clears it.
        _prctl(_PR_SET_PDEATHSIG, options["death_signal"])
    if os.getppid() != options["parent_pid"]:
        sys.exit("the parent is gone already")
    os.execv(command[0], command)  # noqa: S606 - the purpose of this module; no shell is meant


def _become(uid: int, gid: int, capability: int | None) -> None:
    if capability is not None:
        _prctl(_PR_SET_KEEPCAPS, 1)
        # Else access(2), by which initdb looks for its own programs, leaves a user's capabilities out of account.
        _prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if capability is not None:
        word, bit = divmod(capability, 32)
        masks = [0] * 6  # effective, permitted, inheritable; low words first, then high words
        masks[3 * word : 3 * word + 3] = [1 << bit] * 3
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
        if ctypes.CDLL(None, use_errno=True).capset(header, (ctypes.c_uint32 * 6)(*masks)) != 0:
            raise OSError(ctypes.get_errno(), "capset")
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability)


def _prctl(option: int, *values: int) -> None:
    arguments = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    if ctypes.CDLL(None, use_errno=True).prctl(option, *arguments) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
