"""What the registers say of persons and businesses: seeded entries, entries by hand, and rules by digits."""

import pytest

from escrow.channels.identity import CompanyQuestion
from escrow.domain.errors import BankDeclined, BankUnreachable
from escrow.domain.members.identity_checks import CompanyCheck, IdentityResult, PersonCheck, RegistrationStatus
from tests.channels.numbers import citizen_id, credit_code
from tests.channels.statements import House

_TEST_PERSON = ("全渠道", "341126197709218366")
_KNOWN = CompanyQuestion(
    name="沙箱装饰工程有限公司", credit_code="91000000MA1TAX1067", legal_representative_name="全渠道"
)


async def _person(house: House, name: str, number: str) -> PersonCheck:
    return await house.bank.registry.check_person(custody_account_no=house.account_no, name=name, citizen_id=number)


async def _company(house: House, tail: str, kind: str = "91", **parts: str) -> CompanyCheck:
    told = {"name": f"某某装饰公司{tail}", "legal_representative_name": "赵法人"} | parts
    return await house.bank.registry.check_company(
        CompanyQuestion(credit_code=credit_code(tail, kind), **told), custody_account_no=house.account_no
    )


async def test_a_person_matches_under_the_registered_name_only(house: House) -> None:
    name, number = _TEST_PERSON

    before = await house.now()
    match, mismatch = await _person(house, name, number), await _person(house, "别人", number)

    assert (match.result, mismatch.result) == (IdentityResult.MATCH, IdentityResult.MISMATCH)
    assert match.source == "sandbox register of persons"
    assert before.date() <= match.as_of <= (await house.now()).date()


@pytest.mark.parametrize(
    ("sequence", "result"),
    [("201", IdentityResult.MATCH), ("990", IdentityResult.MISMATCH), ("991", IdentityResult.NOT_FOUND)],
)
async def test_others_are_answered_by_the_sequence_in_their_number(
    house: House, sequence: str, result: IdentityResult
) -> None:
    assert (await _person(house, "钱某", citizen_id(sequence))).result is result


async def test_whoever_was_asked_for_once_keeps_the_name(house: House) -> None:
    number = citizen_id("202")
    await _person(house, "孙一", number)

    assert (await _person(house, "孙二", number)).result is IdentityResult.MISMATCH
    assert (await _person(house, "孙一", number)).result is IdentityResult.MATCH


async def test_a_wrong_check_digit_is_refused_without_repeating_the_number(house: House) -> None:
    wrong = _TEST_PERSON[1][:-1] + "5"

    with pytest.raises(BankDeclined, match="identity_number_invalid") as declined:
        await _person(house, "全渠道", wrong)
    with pytest.raises(BankDeclined, match="identity_number_invalid"):
        await house.bank.registry.check_company(
            CompanyQuestion(name="某", credit_code="91000000MA1TAX1068", legal_representative_name="某"),
            custody_account_no=house.account_no,
        )

    assert wrong not in str(declined.value)


async def test_a_register_that_is_down_is_asked_again(house: House) -> None:
    with pytest.raises(BankUnreachable, match="registry_unavailable"):
        await _person(house, "李某", citizen_id("992"))
    with pytest.raises(BankUnreachable, match="registry_unavailable"):
        await _company(house, "92")
    await house.sandbox.steer.set_service_health("REGISTER", "DOWN")
    try:
        with pytest.raises(BankUnreachable, match="registry_unavailable"):
            await _person(house, *_TEST_PERSON)
    finally:
        await house.sandbox.steer.reset()

    assert (await _person(house, *_TEST_PERSON)).result is IdentityResult.MATCH


@pytest.mark.parametrize("scenario", ["timeout_booked", "broken_answer"])
async def test_a_lost_answer_is_asked_for_again(house: House, scenario: str) -> None:
    await house.sandbox.steer.next_suffers(scenario, "read")

    with pytest.raises(BankUnreachable):
        await _person(house, *_TEST_PERSON)
    assert (await _person(house, *_TEST_PERSON)).result is IdentityResult.MATCH


async def test_a_known_company_has_its_status_and_capital_with_source_and_date(house: House) -> None:
    before = await house.now()
    check = await house.bank.registry.check_company(_KNOWN, custody_account_no=house.account_no)

    assert (check.result, check.mismatches) == (IdentityResult.MATCH, ())
    assert check.status is RegistrationStatus.ACTIVE
    assert (check.registered_capital_fen, check.paid_in_capital_fen) == (100_000_000, 60_000_000)
    assert check.source == "sandbox register of businesses"
    assert before.date() <= check.as_of <= (await house.now()).date()


@pytest.mark.parametrize(
    ("number", "name", "person", "status"),
    [
        ("91000000MA2TRY111A", "沙箱旧日装饰有限公司", "李建国", RegistrationStatus.CANCELLED),
        ("91000000MA4CUT1390", "沙箱失信装饰有限公司", "李建国", RegistrationStatus.REVOKED),
        ("92000000MA3DEF124L", "沙箱区老王水电装修店", "王小明", RegistrationStatus.ACTIVE),
    ],
)
async def test_the_other_seeded_businesses(
    house: House, number: str, name: str, person: str, status: RegistrationStatus
) -> None:
    check = await house.bank.registry.check_company(
        CompanyQuestion(name=name, credit_code=number, legal_representative_name=person),
        custody_account_no=house.account_no,
    )

    assert (check.result, check.status) == (IdentityResult.MATCH, status)
    assert check.status is not None
    assert check.status.is_struck_off is (status is not RegistrationStatus.ACTIVE)
    assert (check.registered_capital_fen is None) is number.startswith("92")


@pytest.mark.parametrize(
    ("tail", "result", "mismatches", "status"),
    [
        ("90", IdentityResult.MISMATCH, ("name",), RegistrationStatus.ACTIVE),
        ("91", IdentityResult.NOT_FOUND, (), None),
        ("93", IdentityResult.MATCH, (), RegistrationStatus.CANCELLED),
        ("94", IdentityResult.MATCH, (), RegistrationStatus.REVOKED),
        ("95", IdentityResult.MISMATCH, ("legal_representative",), RegistrationStatus.ACTIVE),
        ("50", IdentityResult.MATCH, (), RegistrationStatus.ACTIVE),
    ],
)
async def test_other_businesses_are_answered_by_the_end_of_their_organisation_code(
    house: House, tail: str, result: IdentityResult, mismatches: tuple[str, ...], status: RegistrationStatus | None
) -> None:
    check = await _company(house, tail)

    assert (check.result, check.mismatches, check.status) == (result, mismatches, status)


async def test_capital_may_be_registered_and_not_paid_in_or_not_registered_at_all(house: House) -> None:
    unpaid, sole_trader = await _company(house, "96"), await _company(house, "51", kind="92")

    assert (unpaid.registered_capital_fen, unpaid.paid_in_capital_fen) == (100_000_000, 0)
    assert (sole_trader.registered_capital_fen, sole_trader.paid_in_capital_fen) == (None, None)


async def test_each_part_that_does_not_match_is_named(house: House) -> None:
    check = await house.bank.registry.check_company(
        CompanyQuestion(
            name="别的公司",
            credit_code=_KNOWN.credit_code,
            legal_representative_name="全渠道",
            legal_representative_id=citizen_id("203"),
            agent_name="周代办",
            agent_id=citizen_id("990"),
        ),
        custody_account_no=house.account_no,
    )

    assert check.result is IdentityResult.MISMATCH
    assert set(check.mismatches) == {"name", "legal_representative", "agent"}


async def test_an_agent_is_looked_up_as_a_person(house: House) -> None:
    good = await _company(house, "52", agent_name="周代办", agent_id=citizen_id("204"))
    unknown = await _company(house, "52", agent_name="周代办", agent_id=citizen_id("991"))

    assert (good.mismatches, unknown.mismatches) == ((), ("agent",))


async def test_entries_can_be_made_by_hand(house: House) -> None:
    number, code = citizen_id("205"), credit_code("53")
    await house.sandbox.steer.enter_person(citizen_id=number, name="吴登记")
    await house.sandbox.steer.enter_company(
        credit_code=code,
        name="手工登记公司",
        legal_representative_name="吴登记",
        legal_representative_id=number,
        status=RegistrationStatus.REVOKED,
        registered_capital_fen=1_000,
        paid_in_capital_fen=1,
    )

    company = await house.bank.registry.check_company(
        CompanyQuestion(
            name="手工登记公司", credit_code=code, legal_representative_name="吴登记", legal_representative_id=number
        ),
        custody_account_no=house.account_no,
    )

    assert (await _person(house, "别名", number)).result is IdentityResult.MISMATCH
    assert (company.result, company.status) == (IdentityResult.MATCH, RegistrationStatus.REVOKED)
    assert (company.registered_capital_fen, company.paid_in_capital_fen) == (1_000, 1)
