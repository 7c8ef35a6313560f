"""The registry as one thing: platforms, members and their bank accounts, over one pool and one set of keys."""

from datetime import datetime

from escrow.ledger.bank_lines import BankLines
from escrow.ledger.engine import Recorder
from escrow.ledger.personal_data import PersonalDataBox
from escrow.registry.accounts.bank_accounts import BankAccounts
from escrow.registry.accounts.card_holders import CardHolders
from escrow.registry.accounts.rows import NewBankAccount
from escrow.registry.accounts.verification_sendings import VerificationSendings
from escrow.registry.accounts.verification_tries import VerificationTries
from escrow.registry.accounts.verifications import AccountVerifications
from escrow.registry.closing import MemberClosings
from escrow.registry.collections.cashier_links import CashierLinks
from escrow.registry.collections.mandate_debits import MandateDebits
from escrow.registry.collections.mandates import Mandates
from escrow.registry.collections.payer_codes import CollectionCodes
from escrow.registry.members.identity_checks import IdentityChecks
from escrow.registry.members.members import Members
from escrow.registry.members.payment_passwords import PaymentPasswords
from escrow.registry.pages.page_links import PageLinks
from escrow.registry.pages.sms_codes import SmsCodes
from escrow.registry.platforms.accesses import PlatformAccesses
from escrow.registry.platforms.file import PlatformFile
from escrow.registry.platforms.operators import Operators
from escrow.registry.platforms.platforms import Platform, Platforms
from escrow.registry.transfers.suspense_payouts import SuspensePayouts

#: Member number under which the platform's own bank account is kept.
PLATFORMS_OWN = ""


class Registry:
    """Platforms, members, their identity checks, bank accounts with verifications and mandates, passwords, pages.

    Args:
        recorder: the ledger's connections.
        box: seals and opens personal data.
    """

    def __init__(self, recorder: Recorder, box: PersonalDataBox) -> None:
        self.recorder = recorder
        self.platforms = Platforms(recorder, box)
        self.accesses = PlatformAccesses(recorder)
        self.members = Members(recorder, box)
        self.bank_accounts = BankAccounts(recorder, box, self.members)
        self.identity_checks = IdentityChecks(recorder, box, self.members)
        self.verifications = AccountVerifications(recorder, box, self.members, self.bank_accounts, self.identity_checks)
        self.verification_sendings = VerificationSendings(recorder, self.verifications)
        self.verification_tries = VerificationTries(recorder, box, self.verifications)
        self.card_holders = CardHolders(self.members, self.bank_accounts, self.identity_checks)
        self.mandates = Mandates(recorder, self.card_holders)
        self.mandate_debits = MandateDebits(recorder, self.mandates)
        self.collection_codes = CollectionCodes(recorder, box)
        self.page_links = PageLinks(recorder, box)
        self.cashier_links = CashierLinks(box)
        self.payment_passwords = PaymentPasswords(recorder, box)
        self.sms_codes = SmsCodes(recorder, box, self.page_links)
        self.closings = MemberClosings(recorder, self.bank_accounts)
        self.operators = Operators(recorder)
        self.suspense_payouts = SuspensePayouts(recorder, box, BankLines(recorder, box), self.members)

    async def open_platform(
        self, file: PlatformFile, *, custody_account_no: str, begin_at: datetime | None = None
    ) -> tuple[Platform, bool]:
        """Open a platform from its file, with its own bank account and the lines over which it may call.

        Of an open one only the configuration changes, and the access where the file speaks of it.

        Args:
            custody_account_no: the custody account at the bank, from the file or as the bank just opened it.
            begin_at: on a sandbox, the moment at which a new platform's story begins; None for now.

        Raises:
            Refused: `no_sandbox`, the platform is open with other facts, or its own bank account cannot be bound.
        """
        platform, created = await self.platforms.open(file, custody_account_no=custody_account_no, begin_at=begin_at)
        if not created:
            platform, _ = await self.platforms.configure(file.platform_no, file.config)
        access = file.access
        if access is not None:
            await self.accesses.change(file.platform_no, lambda _: access)
        own = file.own_bank_account
        if own is not None:
            await self.bank_accounts.bind_under_name(
                file.platform_no,
                PLATFORMS_OWN,
                file.name,
                NewBankAccount(
                    account_id=own.account_id,
                    account_no=own.account_no,
                    account_name=file.name,
                    is_corporate=True,
                    cnaps_code=own.cnaps_code,
                    bank_name=own.bank_name,
                ),
            )
        return platform, created
