"""The story that must go as before: a decoration contract with everything around it, from 2 June 2026 to its end."""

import re
from datetime import datetime
from typing import Any

from escrow.testing.client import Escrow
from tests.journeys.as_before.chance import Json
from tests.journeys.as_before.people import (
    COMPANY,
    CONSENT,
    CONTACT_MOBILE,
    OWN_ACCOUNT,
    OWNER,
    PLAN,
    REPRESENTATIVE,
    SHANGHAI,
    SHORT_PLAN,
    STRANGER,
)
from tests.journeys.as_before.recording import Recorder

PRICE_FEN, SMALL_PRICE_FEN = 18_600_000, 400_000
#: What goes on while a withdrawal is answered.
_TRAVELS = ("status", "rail", "attempts", "reasons", "opens_at", "sequence_no")
#: Kinds of objects whose numbers are chance.
_NUMBERED_BY_OTHERS = frozenset({"bank_credit", "bank_charge", "settlement"})
_FORM_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]+)"')


class Story:
    """One telling of it.

    Args:
        recorder: hears every answer.
        escrow: helps with the bank's outside and with codes that came by SMS.
    """

    def __init__(self, recorder: Recorder, escrow: Escrow) -> None:
        self.told = recorder
        self.escrow = escrow
        self.platform = escrow.platform
        self._skips = 0

    async def tell(self) -> None:
        """The whole story; at its end everything that can be looked at is looked at."""
        for chapter in (
            self.members_open,
            self.money_comes,
            self.the_contract_is_paid,
            self.a_stage_is_rectified_and_accepted,
            self.an_order_closes_unpaid,
            self.a_little_is_withdrawn,
            self.an_order_is_paid_by_code_and_refunded,
            self.a_top_up_by_code,
            self.much_is_withdrawn,
            self.a_proposal_lapses_and_silence_counts,
            self.the_owner_authorises_on_a_page,
            self.both_cancel,
            self.the_platform_withdraws_its_own,
            self.the_warranty_ends,
            self.all_that_can_be_seen,
        ):
            await chapter()

    # ---- the beginning ----

    async def members_open(self) -> None:
        told = self.told
        for member_no, kind, who in (("O-1", "person", OWNER), ("C-1", "company", COMPANY)):
            await told.post(
                f"{member_no} opens", "/members", member_no=member_no, kind=kind, name=who["name"], mobile=who["mobile"]
            )
        business: dict[str, Json] = {"id_no": COMPANY["id_no"], "legal_representative": REPRESENTATIVE}
        for member_no, check_no, who in (("O-1", "IC-1", {"id_no": OWNER["id_no"]}), ("C-1", "IC-2", business)):
            path = f"/members/{member_no}/identity-checks"
            await told.post(f"{member_no} is asked about", path, request_no=check_no, consent=CONSENT, **who)
            path = f"{path}/{check_no}"
            await told.becomes(
                path, lambda check: check["status"] != "asked", f"the register answers about {member_no}"
            )
            await told.get(f"the register knows {member_no}", path)
        card: dict[str, Json] = {"account_id": "A-1", "account_no": OWNER["card"], "is_corporate": False}
        path = "/members/O-1/bank-accounts"
        await told.post("refused: another's card", path, **card, account_name="李小明")
        await told.post("O-1 binds a card", path, **card, account_name=OWNER["name"])
        await told.post(
            "C-1 binds an account",
            "/members/C-1/bank-accounts",
            account_id="A-2",
            account_no=COMPANY["account"],
            account_name=COMPANY["name"],
            is_corporate=True,
            cnaps_code=COMPANY["cnaps_code"],
        )

    async def money_comes(self) -> None:
        told = self.told
        await self._transfers(20_000_000, OWNER["card"], OWNER["name"])
        await self._has("O-1", "available_fen", 20_000_000)
        await told.get("O-1 has money", "/members/O-1/balances")
        await self._transfers(50_000, STRANGER, "钱七")
        found = await told.becomes("/suspense", lambda page: page["credits"], "a stranger's money is in suspense")
        await told.get("a stranger's money", "/suspense")
        path = f"/suspense/{found['credits'][0]['credit_no']}/assignments"
        body: dict[str, Json] = {"member_no": "O-1", "amount_fen": 60_000}
        await told.post("refused: more than came", path, assignment_no="AS-1", **body)
        await told.post("it is given to O-1", path, assignment_no="AS-2", **body | {"amount_fen": 20_000})

    async def the_contract_is_paid(self) -> None:
        told = self.told
        contract = self._contract("D-1", PRICE_FEN, retention_days=30, milestones=PLAN)
        await told.post("refused: a plan without a deposit", "/orders", **contract | {"milestones": PLAN[:1]})
        await told.post("refused: an unknown field", "/orders", **contract, colour="red")
        await told.post("refused: an unknown member", "/orders", **contract | {"owner_no": "O-9"})
        await told.post("D-1 is signed", "/orders", **contract)
        await told.post("D-1 is signed again", "/orders", **contract)
        await told.post("refused: another D-1", "/orders", **contract | {"total_fen": PRICE_FEN + 1})
        await told.post("D-3 is signed", "/orders", **self._contract("D-3", SMALL_PRICE_FEN, milestones=SHORT_PLAN))
        await self._command("refused: start before it is paid", "D-1/start", "R-1", "C-1")
        await self._command("refused: the contractor pays", "D-1/pay", "R-2", "C-1")
        await self._command("D-1 is paid", "D-1/pay", "R-3", "O-1")
        await self._command("D-1 is paid, said again", "D-1/pay", "R-3", "O-1")
        await self._command("refused: D-1 is paid twice", "D-1/pay", "R-4", "O-1")
        await self._command("refused: an unknown order", "D-9/pay", "R-5", "O-1")
        await self._command("refused: the owner starts", "D-1/start", "R-6", "O-1")
        await self._command("D-1 starts", "D-1/start", "R-7", "C-1")

    # ---- the work ----

    async def a_stage_is_rectified_and_accepted(self) -> None:
        stage = "D-1/milestones/2"
        await self._command("refused: accepted before complete", f"{stage}/accept", "R-10", "O-1")
        await self._command("refused: an unknown milestone", "D-1/milestones/9/complete", "R-11", "C-1")
        await self._command("refused: a milestone of time", "D-1/milestones/4/complete", "R-12", "C-1")
        await self._command("refused: the owner completes", f"{stage}/complete", "R-13", "O-1")
        await self._command("stage 2 is complete", f"{stage}/complete", "R-14", "C-1")
        await self._command("stage 2 is to be rectified", f"{stage}/rectify", "R-15", "O-1")
        await self._command("stage 2 is complete again", f"{stage}/complete", "R-16", "C-1")
        await self._command("refused: the contractor accepts", f"{stage}/accept", "R-17", "C-1")
        await self._command("refused: a number used otherwise", f"{stage}/accept", "R-15", "O-1")
        await self._command("stage 2 is accepted", f"{stage}/accept", "R-18", "O-1")
        await self._command("stage 2 is accepted, said again", f"{stage}/accept", "R-18", "O-1")
        await self._command("refused: stage 2 is accepted twice", f"{stage}/accept", "R-19", "O-1")
        await self._withdraws("refused: pending money", "W-2", "C-1", 10_000)
        await self._command("O-1 proposes to cancel D-1", "D-1/cancel", "R-20", "O-1")

    async def an_order_closes_unpaid(self) -> None:
        await self._comes(datetime(2026, 6, 3, 11, tzinfo=SHANGHAI))
        await self.told.get("D-3 closed unpaid", "/orders/D-3")
        await self._command("refused: D-3 is paid too late", "D-3/pay", "R-30", "O-1")
        await self.told.get("C-1 can withdraw what was released yesterday", "/members/C-1/balances")
        await self.told.get("O-1 can withdraw what came yesterday", "/members/O-1/balances")

    async def a_little_is_withdrawn(self) -> None:
        await self._withdraws("refused: more than there is", "W-1", "C-1", 20_000_000)
        await self._withdraws("C-1 withdraws a little", "W-3", "C-1", 500_000, moves=_TRAVELS)
        await self._has_ended("W-3", fees_fen=557_920)
        await self._withdraws("C-1 withdraws it, said again", "W-3", "C-1", 500_000)
        await self._withdraws("refused: W-3 with another amount", "W-3", "C-1", 600_000)

    async def an_order_is_paid_by_code_and_refunded(self) -> None:
        told, path = self.told, "/orders/D-2/direct-payments"
        await told.post("D-2 is signed", "/orders", **self._contract("D-2", SMALL_PRICE_FEN, milestones=SHORT_PLAN))
        await told.post("refused: C-1 pays D-2 by code", path, request_no="R-40", by="C-1", method="qr_wechat")
        shown = await told.post("D-2 is to be paid by code", path, request_no="R-41", by="O-1", method="qr_wechat")
        await told.page("the cashier page waits", shown["cashier_url"])
        await told.press(shown["interaction"]["qr_content"])
        await self._order_is("D-2", "awaiting_start")
        await told.becomes(f"{path}/R-41", lambda now: now["status"] == "paid", "the direct payment is paid")
        await told.get("D-2 was paid by code", f"{path}/R-41")
        await told.page("the cashier page is paid", shown["cashier_url"], lang="en")
        await self._command("O-1 cancels D-2", "D-2/cancel", "R-42", "O-1")
        await told.becomes("/accounts", _all_is_gone, "the refund is with its channel", purpose="refund")
        await told.get("D-2 was refunded through its channel", f"{path}/R-41")

    async def a_top_up_by_code(self) -> None:
        told = self.told
        body: dict[str, Json] = {"member_no": "O-1", "amount_fen": 100_000, "method": "qr_alipay"}
        shown = await told.post("O-1 tops up", "/top-ups", top_up_no="T-1", **body)
        await told.press(shown["interaction"]["qr_content"])
        await told.becomes("/top-ups/T-1", lambda now: now["status"] == "paid", "the top-up is paid")
        await told.get("O-1 has topped up", "/top-ups/T-1")
        await told.post("O-1 tops up again and does not pay", "/top-ups", top_up_no="T-2", **body)
        await self._comes(datetime(2026, 6, 3, 11, 35, tzinfo=SHANGHAI))
        await told.becomes("/top-ups/T-2", lambda now: now["status"] == "closed", "what is not paid is closed")
        await told.get("T-2 closed unpaid", "/top-ups/T-2")

    async def much_is_withdrawn(self) -> None:
        await self._comes(datetime(2026, 6, 4, 10, tzinfo=SHANGHAI))
        await self._holds("fees", 556_020)
        await self._command("stage 3 is complete", "D-1/milestones/3/complete", "R-50", "C-1")
        await self._withdraws("C-1 withdraws much", "W-4", "C-1", 6_000_000, moves=_TRAVELS)
        await self._has_ended("W-4", fees_fen=555_020)

    async def a_proposal_lapses_and_silence_counts(self) -> None:
        await self._comes(datetime(2026, 6, 9, 12, tzinfo=SHANGHAI))
        await self._command("O-1's proposal lapsed, and C-1 proposes", "D-1/cancel", "R-51", "C-1")
        for day, name in ((10, "O-1 was reminded"), (11, "silence was acceptance")):
            await self._comes(datetime(2026, 6, day, 12, tzinfo=SHANGHAI))
            await self.told.get(name, "/orders/D-1")

    # ---- the end ----

    async def the_owner_authorises_on_a_page(self) -> None:
        told = self.told
        config = (await told.look("/platform/configuration"))["config"]
        config["authorisation"]["accept"] = "sms_code"
        await told.put("acceptance by SMS code", "/platform/configuration", request_no="CF-1", config=config)
        order = self._contract("D-4", SMALL_PRICE_FEN, milestones=SHORT_PLAN, withdraw_automatically=True)
        await told.post("D-4 is signed", "/orders", **order)
        await self._command("D-4 is paid", "D-4/pay", "R-60", "O-1")
        await self._command("D-4 starts", "D-4/start", "R-61", "C-1")
        await self._withdrawn_by("D-4", 1, fees_fen=886_440)
        stage = "D-4/milestones/2"
        await self._command("D-4 is complete", f"{stage}/complete", "R-62", "C-1")
        waits = await self._command("D-4 waits for O-1", f"{stage}/accept", "R-63", "O-1")
        await told.page("page in English: accept of D-4", waits["authorization"]["url"], lang="en")
        await self._authorised(waits["authorization"], OWNER["mobile"])
        await self._command("D-4 is accepted", f"{stage}/accept", "R-63", "O-1")
        await self._withdrawn_by("D-4", 2, fees_fen=900_360)

    async def both_cancel(self) -> None:
        await self.told.post(
            "D-5 is signed", "/orders", **self._contract("D-5", SMALL_PRICE_FEN, milestones=SHORT_PLAN)
        )
        await self._command("D-5 is paid", "D-5/pay", "R-70", "O-1")
        await self._command("D-5 starts", "D-5/start", "R-71", "C-1")
        await self._command("C-1 proposes to cancel D-5", "D-5/cancel", "R-72", "C-1")
        await self._command("O-1 agrees to cancel D-5", "D-5/cancel", "R-73", "O-1")

    async def the_platform_withdraws_its_own(self) -> None:
        told = self.told
        asked: dict[str, Json] = {"withdrawal_no": "W-5", "principal_fen": 30_000}
        waits = await told.post("the platform asks for its own money", "/withdrawals", **asked)
        await self._transfers(80_000, OWN_ACCOUNT["account_no"], self.platform.name)
        await self._holds("own", 80_000)
        await self._authorised(waits["authorization"], CONTACT_MOBILE)
        await self._has_ended("W-5", fees_fen=906_360)
        await told.post("the platform asked before", "/withdrawals", **asked)

    async def the_warranty_ends(self) -> None:
        await self._comes(datetime(2026, 7, 14, 10, tzinfo=SHANGHAI))
        await self.told.get("D-1 is settled", "/orders/D-1")
        await self._command("refused: D-1 is cancelled at its end", "D-1/cancel", "R-80", "O-1")

    async def all_that_can_be_seen(self) -> None:
        told = self.told
        for what in ("orders", "withdrawals", "top-ups", "members", "suspense", "platform/sub-accounts", "sandbox/sms"):
            await told.get(f"all: {what}", f"/{what}")
        await told.get("all: bank accounts of C-1", "/members/C-1/bank-accounts")
        await told.get("all: events", "/events", limit=500, kept_as=_by_object)
        await told.get("all: accounts", "/accounts", limit=200)
        for member_no in ("O-1", "C-1"):
            await told.get(f"all: balances of {member_no}", f"/members/{member_no}/balances")
            period: dict[str, Json] = {"first_day": "2026-06-01", "last_day": "2026-07-31", "limit": 500}
            await told.get(f"all: statement of {member_no}", "/statements", member_no=member_no, **period)
        accounts = (await told.look("/accounts", limit=200))["accounts"]
        for account in (found["account"] for found in accounts if found["member_no"] is None):
            kept_as = _in_bank_order if account == "custody" else dict
            await told.get(f"all: history of {account}", f"/accounts/{account}/history", limit=500, kept_as=kept_as)

    # ---- what happens again and again ----

    def _contract(self, order_no: str, total_fen: int, **terms: Json) -> dict[str, Json]:
        return {"order_no": order_no, "owner_no": "O-1", "contractor_no": "C-1", "total_fen": total_fen, **terms}

    async def _command(self, name: str, path: str, request_no: str, by: str) -> Json:
        return await self.told.post(name, f"/orders/{path}", request_no=request_no, by=by)

    async def _withdraws(self, name: str, number: str, member_no: str, fen: int, **more: Any) -> None:
        body: dict[str, Json] = {"withdrawal_no": number, "member_no": member_no, "principal_fen": fen}
        await self.told.post(name, "/withdrawals", **body, **more)

    async def _has_ended(self, number: str, *, fees_fen: int) -> None:
        """A withdrawal has ended, and what the bank took for it is made good from the fees."""
        path = f"/withdrawals/{number}"
        await self.told.becomes(path, lambda now: now["status"] in ("paid", "failed"), f"{number} ends")
        await self._holds("fees", fees_fen)
        await self.told.get(f"{number} has ended", path)

    async def _withdrawn_by(self, order_no: str, count: int, *, fees_fen: int) -> None:
        def is_so(page: Json) -> bool:
            found = [one["status"] for one in page["withdrawals"] if one["order_no"] == order_no]
            return found == ["paid"] * count

        await self.told.becomes("/withdrawals", is_so, f"{order_no} has made {count} withdrawals")
        await self._holds("fees", fees_fen)

    async def _holds(self, sub_account_no: str, fen: int) -> None:
        def is_so(tree: Json) -> bool:
            return any(
                one["sub_account_no"] == sub_account_no and one["balance_fen"] == fen for one in tree["functional"]
            )

        await self.told.becomes("/platform/sub-accounts", is_so, f"{sub_account_no} holds {fen} fen")

    async def _order_is(self, order_no: str, status: str) -> None:
        await self.told.becomes(f"/orders/{order_no}", lambda now: now["status"] == status, f"{order_no} is {status}")

    async def _has(self, member_no: str, what: str, fen: int) -> None:
        path = f"/members/{member_no}/balances"
        await self.told.becomes(path, lambda now: now[what] == fen, f"{member_no} has {fen} fen {what}")

    async def _transfers(self, fen: int, account_no: str, name: str) -> None:
        await self.escrow.bank.transfer(
            custody_account_no=self.platform.custody_account_no,
            amount_fen=fen,
            account_no=account_no,
            account_name=name,
        )

    async def _authorised(self, authorization: Json, mobile: str) -> None:
        """Somebody reads the page, has a code sent, types it; then the platform looks."""
        told, url, what = (
            self.told,
            authorization["url"],
            f"{authorization['operation']} of {authorization['object_no']}",
        )
        asked = await told.page(f"page: {what}", url)
        sent = await told.send(f"page: {what}, the code is sent", url, form_token=_form_token(asked), action="send")
        typed = {"form_token": _form_token(sent), "code": await self.escrow.newest_code(mobile)}
        await told.send(f"page: {what}, the code is typed", url, action="confirm", **typed)
        path = f"/authorizations/{authorization['authorization_id']}"
        await told.becomes(path, lambda now: now["status"] != "pending", f"{what} is authorised")
        await told.get(f"{what} is authorised", path)

    async def _comes(self, moment: datetime) -> None:
        """Time passes until a moment, so that it is the same in every telling however long the way there took."""
        self._skips += 1
        body: dict[str, Json] = {"request_no": f"SK-{self._skips}", "until": moment.isoformat()}
        await self.told.post(f"it becomes {moment:%d.%m. %H:%M}", "/sandbox/skip", **body)


def _form_token(page: str) -> str:
    token = _FORM_TOKEN.search(page)
    assert token is not None, f"there is no form on this page: {page}"
    return token[1]


def _by_object(feed: Json) -> Json:
    """Events of each object by themselves: in what order two objects go on side by side is chance."""
    objects: dict[str, list[Json]] = {}
    for event in feed["events"]:
        kind, number = event["kind"], event["object_no"]
        name = kind if kind in _NUMBERED_BY_OTHERS else f"{kind} {number}"
        told = {field: part for field, part in event.items() if field not in ("kind", "object_no")}
        objects.setdefault(name, []).append(told)
    return {"events": objects}


def _in_bank_order(history: Json) -> Json:
    """Lines as the bank numbered them: whether a payout or its charge is booked first is chance."""
    lines = sorted(history["lines"], key=lambda line: str(line["bank_serial_no"]))
    return history | {"lines": [line | {"balance_after_fen": "<by the order of posting>"} for line in lines]}


def _all_is_gone(page: Json) -> bool:
    balances: list[int] = [account["balance_fen"] for account in page["accounts"]]
    return bool(balances) and not any(balances)
