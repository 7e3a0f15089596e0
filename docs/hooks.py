"""What the pages need to be a site: they link to files of the repository, which a site does not have."""

import re
from typing import Any

# `[text](../mfrec/...)`
_OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./[^)]*\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Show links that lead out of ``docs/`` as their text."""
    return _OUTSIDE.sub(r"\1", markdown)
