"""What Python is told, in the words of the command line: none of them is translated that nobody says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from exactbuyer.cli._words import WORDS, in_options

ROOT = Path(__file__).parents[2]


def said_anywhere() -> str:
    """All texts of the package, each in one piece."""
    rust = [path.read_text() for path in sorted((ROOT / "crates").rglob("*.rs"))]
    paths = sorted((ROOT / "python" / "exactbuyer").rglob("*.py"))
    python = [path.read_text() for path in paths if "cli" not in path.parts]
    assert len(rust) > 50
    assert len(python) > 20
    pieces = [re.sub(r"\\\n\s*", "", text).replace('\\"', '"') for text in rust]
    pieces += [re.sub(r'"\s*\n\s*f?"', "", text) for text in python]
    return "\n".join(pieces)


def test_what_is_translated_is_said_somewhere() -> None:
    said = said_anywhere()
    assert [there for there in WORDS if there not in said] == []


@pytest.mark.parametrize(
    ("there", "here"),
    [
        (
            "the service refused the API key (401): check EXACTBUYER_API_KEY or api_key=",
            "the service refused the API key (401): check EXACTBUYER_API_KEY or --key-file",
        ),
        (
            "max_credits reached (5 credits): raise it, and ask again for the rows that are not_sent",
            "--max-credits reached (5 credits): raise it, and run the same command again",
        ),
        (
            "there is no such address (404): check base_url",
            "there is no such address (404): check --base-url",
        ),
        (
            "more than one: say what stands between them, as in split=';'",
            "more than one: say what stands between them, as in --split ';'",
        ),
        ("required_fields names 'x'", "--require names 'x'"),
        ("grace is a timedelta or a number of seconds", "--grace is a number of seconds"),
        ("by names 'x', which is not there", "--by names 'x', which is not there"),
    ],
)
def test_options_are_called_what_they_are_called(there: str, here: str) -> None:
    assert in_options(there) == here
