"""The contract's requests, made anew with the standard library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

CONTRACT = Path(__file__).resolve().parents[1] / "contract" / "requests.json"
REQUESTS: list[dict[str, Any]] = json.loads(CONTRACT.read_text(encoding="utf-8"))["requests"]


def test_there_are_requests_of_both_kinds() -> None:
    assert len(REQUESTS) >= 10
    assert {request["body"] for request in REQUESTS} == {"form", "json"}


@pytest.mark.parametrize("asked", REQUESTS, ids=lambda asked: f"{asked['name']} ({asked['body']})")
def test_a_request(asked: dict[str, Any]) -> None:
    fields = {
        "query_list": asked["query_list"],
        "required_fields": [{"field_type": name} for name in asked["required_fields"]],
    }
    said = {name: value for name, value in fields.items() if value or name == "query_list"}
    if asked["body"] == "json":
        assert json.loads(asked["encoded"]) == said
    else:
        dumped = {
            name: json.dumps(value, separators=(",", ":"), ensure_ascii=False) for name, value in said.items()
        }
        assert asked["encoded"] == urlencode(dumped)
