"""The demo as a user runs it: a real contract file in, statements and an exit code out."""

import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import httpx2

from escrow.channels.sandbox_bank.steering import SandboxSteering
from escrow.commands.contract_file import read_contract_file
from escrow.commands.demo.owner import Owner
from escrow.commands.demo.pages import PlainForms
from tests.beginning import beginning
from tests.chromium import ABSENCE, find_chromium
from tests.journeys.demo_contracts import random_contract
from tests.waiting import PATIENCE_SECONDS

_ROOT = Path(__file__).parents[2]
_RECOMPUTE = _ROOT / "tests" / "recompute_demo.py"
_EXAMPLE = _ROOT / "examples" / "contract.yaml"
_ENTRY = "from escrow.cli import main; main()"
#: Alone on a machine it takes about 30 s.
_HANGS_AFTER_SECONDS = 800


@asynccontextmanager
async def running_demo(*arguments: str | Path, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`escrow demo` with these arguments, begun when every story begins; it does not outlive the test."""
    arguments = arguments if "--begin-at" in arguments else (*arguments, "--begin-at", beginning().isoformat())
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("ESCROW_", "TEMPORAL_"))}
    demo = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _ENTRY, "--stack", "/nowhere", "demo", *map(str, arguments),
        cwd=_ROOT, env={**ours, "NO_COLOR": "1", **environment},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield demo
    finally:
        if demo.returncode is None:
            demo.terminate()
            await demo.wait()


async def told_by(demo: asyncio.subprocess.Process) -> str:
    """All that it still says, until it ends."""
    said, _ = await asyncio.wait_for(demo.communicate(), _HANGS_AFTER_SECONDS)
    return said.decode()


async def told_to_a_person(demo: asyncio.subprocess.Process, contract: Path) -> str:
    """All that it says until it ends, to somebody who does at the links what it asks the owner to do."""
    terms, said = read_contract_file(contract), ""
    async with AsyncExitStack() as opened, asyncio.timeout(_HANGS_AFTER_SECONDS):
        assert demo.stdout is not None
        http = await opened.enter_async_context(
            httpx2.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS, follow_redirects=True)
        )
        hand = None
        while line := (await demo.stdout.readline()).decode():
            said += line
            if found := re.search(r"bank sandbox +(http://[^/\s]+)", line):
                sandbox = SandboxSteering(found[1])
                opened.push_async_callback(sandbox.aclose)
                hand = PlainForms(http, Owner(terms.owner.mobile, sandbox))
            elif found := re.search(r"you are the owner: (.*) (http://\S+)", line):
                assert hand is not None
                if "set a payment password" in found[1]:
                    await hand.set_password(found[2])
                elif "authorise it" in found[1]:
                    await hand.authorise(found[2])
                else:
                    cashier = found[2]
            elif found := re.search(r"pay where its code leads: (http://\S+)", line):
                assert hand is not None
                await hand.scan_and_pay(cashier, found[1])
    await demo.wait()
    return said


def recomputed(contract: Path, page: Path) -> subprocess.CompletedProcess[str]:
    """The script that knows nothing of us, isolated from this checkout and its packages."""
    command = [sys.executable, "-I", "-S", str(_RECOMPUTE), str(contract), str(page)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


async def test_a_random_contract_is_lived_through_and_every_figure_can_be_recomputed(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    contract, page = tmp_path / "contract.yaml", tmp_path / "page.json"
    contract.write_text(random_contract(seed))
    print(f"random_contract({seed})")

    async with running_demo(contract, "--by-hand", "--json", page) as demo:
        said = await told_to_a_person(demo, contract)

    assert demo.returncode == 0, said
    assert "killed with SIGKILL" in said
    assert "after the kill; sent once, found by query: the history shows 1 × send_payout" in said
    assert "All of it holds." in said
    answer = recomputed(contract, page)
    assert answer.returncode == 0, answer.stdout + said
    assert ("collected over qr_wechat" in said) is ("design:" in contract.read_text())
    assert_a_changed_figure_is_found(contract, page)


def assert_a_changed_figure_is_found(contract: Path, page: Path) -> None:
    """Change any one amount of the page by a fen: the script must say so."""
    text = page.read_text()
    amounts = list(re.finditer(r'"(amount_fen|balance_after_fen|in_fen|out_fen|closing_fen|released)": (-?\d+)', text))
    for chosen in random.sample(amounts, 5):
        changed = f"{text[: chosen.start(2)]}{int(chosen[2]) + 1}{text[chosen.end(2) :]}"
        page.write_text(changed)
        assert recomputed(contract, page).returncode == 1, f"{chosen[0]} at {chosen.start()} was not missed"


async def test_hours_are_skipped_for_a_payout_that_no_open_rail_can_carry(tmp_path: Path) -> None:
    contract, page = tmp_path / "contract.yaml", tmp_path / "page.json"
    text = _EXAMPLE.read_text().replace('"186,000.00"', '"9,000,000.00"')  # the silent stage: 1,710,000.00 net
    contract.write_text(text.replace("inspection days: 7", "inspection days: 2"))

    # Work begins on Thursday; the silence ends on Saturday, when only the closed large-value system could carry it.
    async with running_demo(contract, "--json", page, "--begin-at", "2026-06-02T10:00", PATH="/nowhere") as demo:
        said = await told_by(demo)

    assert demo.returncode == 0, said
    assert "there is no Chromium on this machine: a plain HTTP client fills in the owner's forms" in said
    assert "the client goes where the API says that it leads" in said
    assert said.count("authorised there by payment password") == 3  # the drawings, M2 and M4
    assert "no open rail carries D-1001:M3:withdrawal:1: hours pass, it is 2026-06-07 20:30 in Shanghai" in said
    assert "hvps: chosen" in said
    answer = recomputed(contract, page)
    assert answer.returncode == 0, answer.stdout + said


def how_the_code_is_read(tables: list[str]) -> str:
    """What the demo says of it on this machine: without Chromium, a plain HTTP client plays the owner."""
    if find_chromium() is not None:
        return "the QR code was read from the picture of the cashier page"
    tables.append(f"{ABSENCE}: in the demo a plain HTTP client played the owner")
    return "the client goes where the API says that it leads"


async def test_the_example_is_told_in_full_and_a_line_planted_at_the_bank_is_named(
    tmp_path: Path, tables: list[str]
) -> None:
    page = tmp_path / "page.json"
    async with running_demo("--pause", "--json", page) as demo:
        assert demo.stdout is not None
        told: list[str] = []
        async with asyncio.timeout(_HANGS_AFTER_SECONDS):
            while "Press Enter" not in "".join(told):
                line = (await demo.stdout.readline()).decode()
                assert line, "".join(told)
                told.append(line)
        story = "".join(told)
        bank_url = re.search(r"bank sandbox +(http://[^/\s]+)", story)
        assert bank_url is not None, story
        sandbox = SandboxSteering(bank_url[1])
        account_no = await sandbox.open_custody_account(reference="HOME", title="好家装修平台有限公司")
        planted = await sandbox.plant_line(custody_account_no=account_no, amount_fen=12_345)
        await sandbox.aclose()
        assert_other_commands_find_the_stack(story, planted.bank_serial_no)
        assert demo.stdin is not None
        demo.stdin.write(b"\n")
        ending = await told_by(demo)

    assert demo.returncode == 1, ending
    assert planted.bank_serial_no in ending.partition("Does it all add up?")[2]
    shown = json.loads(page.read_text())
    assert shown["holds"] is False
    assert [check["name"] for check in shown["checks"] if check["problems"]] == [
        "the bank's own balance = our custody account, no line unposted"
    ]
    answer = recomputed(_EXAMPLE, page)
    assert answer.returncode == 1
    assert planted.bank_serial_no in answer.stdout

    for beat in (
        "name and ID number match in the register",
        "verified by UnionPay",
        "O-1 has set a payment password",
        how_the_code_is_read(tables),
        "3,000.00 collected over qr_wechat and frozen in escrow",
        "pending until",
        "recognised by its account: 186,000.00 available to O-1",
        "186,000.00 frozen in escrow",
        "2,850.00 arrived",
        "asks for rectification",
        "O-1 accepts M2, authorised there by payment password",
        "7 days pass",
        "SMS to 138***",  # the reminder before silence counts
        "SMS to 139***",  # the large withdrawal
        "chosen: charge",
        "90 days pass",
        "the order is settled and holds 0.00",
    ):
        assert beat in story, f"{beat!r} is missing in:\n{story}"
    for secret in ("6222024000012345670", "44201560900052512345", "110101199001012029", "13800000001"):
        assert secret not in story + ending
    assert_the_readme_shows_this(ending)


def assert_the_readme_shows_this(ending: str) -> None:
    """The statements that the README quotes are these, but for dates and the bank's numbers."""
    block = re.search(r"<!-- printed by make demo -->\n```\n(.*?)```", (_ROOT / "README.md").read_text(), re.DOTALL)
    assert block is not None
    statements = block[1].partition("Does it all add up?")[0].splitlines()
    shown = {_undated(line) for line in ending.splitlines()}
    for line in statements:
        if "─" not in line and "as the bank answers it" not in line:  # the planted line is in that balance
            assert _undated(line) in shown, line


def _undated(line: str) -> str:
    return " ".join(re.sub(r"\b(\d{4}-\d\d-\d\d|\d{23}|\d{8}QR_WECHAT\d{10})\b", "…", line).split())


def assert_other_commands_find_the_stack(story: str, planted: str) -> None:
    """While the demo is paused, `escrow verify` names the line too, and no time can be skipped for an ended order."""
    folder = re.search(r"`escrow --stack (\S+) …`", story)
    assert folder is not None, story
    command = [sys.executable, "-c", _ENTRY, "--stack", folder[1]]
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("ESCROW_", "TEMPORAL_"))}
    verify = subprocess.run([*command, "verify", "--wait", "0"], env=ours, capture_output=True, text=True, check=False)
    assert verify.returncode == 1, verify.stdout + verify.stderr
    assert planted in verify.stdout.replace("\n", "")
    skip = [*command, "skip", "--order", "D-1001"]
    skipped = subprocess.run(skip, env=ours, capture_output=True, text=True, check=False)
    assert skipped.returncode == 1, skipped.stdout + skipped.stderr
    assert "There is no order D-1001 under way" in skipped.stderr


async def test_a_demo_that_is_told_to_end_leaves_nothing_behind() -> None:
    with tempfile.TemporaryDirectory(prefix="d") as folder:
        async with running_demo(TMPDIR=folder) as demo:
            assert demo.stdout is not None
            async with asyncio.timeout(_HANGS_AFTER_SECONDS):
                while b"members open" not in await demo.stdout.readline():
                    assert not demo.stdout.at_eof()
            demo.terminate()
            said = await told_by(demo)
        assert demo.returncode == 128 + signal.SIGTERM, said
        assert list(Path(folder).iterdir()) == []
        assert folder not in running_processes()


def running_processes() -> str:
    """All processes of this machine with their arguments."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it ended while we looked
            found.append(path.read_bytes().decode(errors="replace"))
    return "\n".join(found)


async def test_a_moment_that_means_nothing_ends_with_2_and_one_that_does() -> None:
    async with running_demo("--begin-at", "fridays") as demo:
        said = await told_by(demo)
    assert demo.returncode == 2
    assert "'fridays' is no moment: did you mean friday-17:14?" in " ".join(said.replace("│", "").split())


async def test_a_wrong_contract_ends_with_2_and_names_the_line(tmp_path: Path) -> None:
    contract = tmp_path / "contract.yaml"
    contract.write_text(_EXAMPLE.read_text().replace("share: 15%", "share: 16%"))
    async with running_demo(contract) as demo:
        said = await told_by(demo)
    assert demo.returncode == 2
    line = next(number for number, text in enumerate(contract.read_text().splitlines(), 1) if "- name: 定金" in text)
    assert f"{contract}:{line}: The shares add up to 101 %" in said
