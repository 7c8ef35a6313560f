"""A story's file: members, contracts and lines, read so that everything that is wrong is named with its line."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from yaml.nodes import MappingNode, Node, ScalarNode

from escrow.commands.contract_nodes import ContractFileError, Page, Section
from escrow.domain.errors import Refused
from escrow.domain.money.amounts import yuan
from escrow.domain.orders.milestones import MilestoneKind, Stage, decoration_stages, plan
from escrow.domain.platforms.config import PlatformConfig
from escrow.registry.platforms.yaml_lines import line_of
from escrow.testing.members import MemberKind
from escrow.testing.numbers import BANKS

#: How lines speak of the only order, and of the platform.
THE_ORDER = "the order"
PLATFORM = "platform"
_OWNER, _CONTRACTOR = "owner", "contractor"
_KINDS: Mapping[str, MemberKind] = {"person": "person", "sole trader": "sole_trader", "company": "company"}
_REMARKS = ("card checked", "identity not checked", "no account")
_WHEN = {
    "at start": MilestoneKind.START,
    "on acceptance": MilestoneKind.ACCEPTANCE,
    "after warranty": MilestoneKind.WARRANTY,
}
_MILESTONE = re.compile(rf"(?P<name>.+?) (?P<part>[\d.]+%|[\d,]+\.\d\d) (?P<when>{'|'.join(_WHEN)})")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9 _-]{0,30}")
_YES_OR_NO = {"yes": True, "no": False}

StoryFileError = ContractFileError


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberTerms:
    """A member as the story introduces it."""

    name: str
    kind: MemberKind = "person"
    bank: str = "ICBC"
    card_checked: bool = False
    identity_checked: bool = True
    has_account: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractTerms:
    """A contract: who, how much, in which milestones; what is None is the platform's default.

    Args:
        contractor: None where the platform itself is paid.
    """

    owner: str
    contractor: str | None
    price_fen: int
    stages: Sequence[Stage]
    more: Mapping[str, bool | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names that a story's lines may use."""

    people: Sequence[str]
    orders: Sequence[str]
    milestones: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryTerms:
    """What a story's file says.

    Args:
        begins: empty where the story does not mind.
        config: fields of the platform's configuration that the story sets.
        lines: number of the line in the file, and what stands there.
    """

    path: Path
    title: str
    begins: str
    config: Mapping[str, Any]
    members: Mapping[str, MemberTerms]
    contracts: Mapping[str, ContractTerms]
    lines: Sequence[tuple[int, str]]

    @property
    def names(self) -> Names:
        """The names that its lines may use; a milestone's first word will do where its name has several."""
        stages = [stage.name for contract in self.contracts.values() for stage in contract.stages]
        return Names(
            people=[*self.members, PLATFORM],
            orders=list(self.contracts),
            milestones=list(dict.fromkeys([*stages, *(name.split()[0] for name in stages)])),
        )


def read_story_file(path: Path) -> StoryTerms:
    """Read and check a story's file, all but its sentences.

    Raises:
        StoryFileError: with one line per problem, each naming the file and the line.
    """
    page = Page(path)
    file = Section(
        page,
        page.root(),
        "the story",
        required=("title", "members", "story"),
        optional=("begins", "platform", "contract", "contracts"),
    )
    members = _members(page, file)
    config = _config(page, file.part("platform"))
    contracts = {
        name: contract
        for name, node in _contract_nodes(page, file)
        if (contract := _contract(page, node, members, self_operated=config.get("business_model") == "self_operated"))
    }
    lines = [(node.start_mark.line + 1, _line(page, node)) for node in file.items("story")]
    terms = StoryTerms(
        path=path,
        title=file.read("title", str, ""),
        begins=file.read("begins", str, ""),
        config=config,
        members=members,
        contracts=contracts,
        lines=lines,
    )
    page.finish()
    return terms


def _pairs(page: Page, node: Node | None, title: str) -> list[tuple[str, Node]]:
    if node is None:
        return []
    if not isinstance(node, MappingNode):
        page.wrong(node, f"{title} need `name: …` lines")
        return []
    found = []
    for key, value in node.value:
        name = str(key.value) if isinstance(key, ScalarNode) else ""
        if _NAME.fullmatch(name):
            found.append((name, value))
        else:
            page.wrong(key, f"a name of {title} is made of Latin letters, digits, blanks, - and _: {name!r} is not")
    return found


def _members(page: Page, file: Section) -> dict[str, MemberTerms]:
    members = {}
    for role, node in _pairs(page, file.part("members"), "members"):
        if not isinstance(node, ScalarNode):
            page.wrong(node, "a member is one line: its name, and what else there is to say, between commas")
            continue
        name, *words = (part.strip() for part in str(node.value).split(","))
        terms: dict[str, Any] = {"name": name}
        for word in words:
            if word in _KINDS:
                terms["kind"] = _KINDS[word]
            elif word in BANKS:
                terms["bank"] = word
            elif word in _REMARKS:
                terms |= {
                    "card checked": {"card_checked": True},
                    "identity not checked": {"identity_checked": False},
                    "no account": {"has_account": False},
                }[word]
            else:
                page.wrong(
                    node, f"{word!r}: say {', '.join(_KINDS)}, {', '.join(_REMARKS)}, or a bank: {', '.join(BANKS)}"
                )
        members[role] = MemberTerms(**terms)
    return members


def _config(page: Page, node: Node | None) -> dict[str, Any]:
    if node is None:
        return {}
    # As a platform file's `config` is read: YAML's own numbers and words.
    loader = yaml.SafeLoader("")
    document = loader.construct_document(node)
    if not isinstance(document, dict):
        page.wrong(node, "the platform's settings are `key: value` lines, as under `config` of a platform file")
        return {}
    try:
        PlatformConfig.model_validate(document)
    except ValidationError as error:
        for item in error.errors(include_input=False, include_url=False):
            line, where = line_of(node, item["loc"]), ".".join(map(str, item["loc"]))
            page.wrong_at(line, f"{where or 'the platform'}: {item['msg']}")
    return document


def _contract_nodes(page: Page, file: Section) -> list[tuple[str, Node]]:
    one, several = file.part("contract"), file.part("contracts")
    if one is not None and several is not None:
        page.wrong(several, "say either `contract` or `contracts`")
    return [(THE_ORDER, one)] if one is not None else _pairs(page, several, "contracts")


def _contract(
    page: Page, node: Node, members: Mapping[str, MemberTerms], *, self_operated: bool
) -> ContractTerms | None:
    section = Section(
        page,
        node,
        "the contract",
        required=("price",),
        optional=(
            "owner", "contractor", "milestones", "withdraw automatically", "inspection days", "retention days",
        ),
    )  # fmt: skip

    def member(text: str) -> str:
        if text not in members:
            raise ValueError(f"there is no member {text!r}; members are {', '.join(members)}")
        return text

    more: dict[str, bool | int | None] = {
        "withdraw_automatically": section.read("withdraw automatically", _yes_or_no, None),
        "inspection_days": section.read("inspection days", int, None),
        "retention_days": section.read("retention days", int, None),
    }
    owner = section.read("owner", member, _OWNER)
    contractor = None if self_operated else section.read("contractor", member, _CONTRACTOR)
    for role in (owner, contractor):
        if role is not None and role not in members:
            page.wrong(node, f"the contract needs a member {role!r}, or say who its owner and contractor are")
    price_fen = section.read("price", yuan, 0)
    stages = tuple(found for item in section.items("milestones") if (found := _stage(page, item)))
    stages = stages if section.part("milestones") is not None else decoration_stages()
    if price_fen and not page.has_problems:
        try:
            plan(total_fen=price_fen, stages=stages)
        except Refused as refusal:
            page.wrong(node, refusal.message)
    return ContractTerms(
        owner=owner,
        contractor=contractor,
        price_fen=price_fen,
        stages=stages,
        more={name: value for name, value in more.items() if value is not None},
    )


def _yes_or_no(text: str) -> bool:
    if text not in _YES_OR_NO:
        raise ValueError("say yes or no")
    return _YES_OR_NO[text]


def _stage(page: Page, node: Node) -> Stage | None:
    match = _MILESTONE.fullmatch(str(node.value)) if isinstance(node, ScalarNode) else None
    if match is None:
        page.wrong(node, f"a milestone is one line such as `水电 30% on acceptance`; it is paid {', '.join(_WHEN)}")
        return None
    part, kind = match["part"], _WHEN[match["when"]]
    if part.endswith("%"):
        return Stage(name=match["name"], kind=kind, share=part)
    return Stage(name=match["name"], kind=kind, amount_fen=yuan(part))


def _line(page: Page, node: Node) -> str:
    """The text of a line; one with a colon, which YAML takes for a key and a value, is put together again."""
    if isinstance(node, ScalarNode):
        return str(node.value)
    if isinstance(node, MappingNode) and len(node.value) == 1:
        key, value = node.value[0]
        if isinstance(key, ScalarNode) and isinstance(value, ScalarNode):
            return f"{key.value}: {value.value}"
    page.wrong(node, "a line of the story is one sentence")
    return ""
