"""Templates to HTML; everything that is put in is escaped."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.page_texts import TEXTS
from escrow.domain.platforms.hosted_pages import PageLanguage

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")), autoescape=True, undefined=StrictUndefined
)
_OTHER = {PageLanguage.CHINESE: PageLanguage.ENGLISH, PageLanguage.ENGLISH: PageLanguage.CHINESE}


def rendered(template: str, language: PageLanguage, **shown: Any) -> str:
    """HTML of one page."""
    page = _TEMPLATES.get_template(template)
    return page.render(language=language.value, other=_OTHER[language].value, t=TEXTS[language], **shown)
