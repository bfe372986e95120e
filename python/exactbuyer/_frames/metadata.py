"""What an enriched table records about the call: the receipt, and the names of the added columns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

RECEIPT_KEY = "exactbuyer_receipt"
"""Where a table's `attrs` or schema metadata hold the receipt of the call that enriched it."""


COLUMNS_KEY = "exactbuyer_columns"
"""Where they hold which columns were added, by prefix."""


class Notes(dict[str, Any]):
    """What a table records about the call: the receipt, and the columns that were added."""

    def changes(self) -> list[tuple[str, str | None]]:
        """The same as changes of a schema's metadata: `None` removes a note of an earlier call.

        Without any note, nothing changes.
        """
        if not self:
            return []
        return [(key, json.dumps(self[key]) if key in self else None) for key in (RECEIPT_KEY, COLUMNS_KEY)]

    def beside(self, metadata: Mapping[bytes, bytes] | None) -> dict[bytes, bytes]:
        """A pyarrow schema's metadata with these changes.

        Keys are bytes: with text keys, pyarrow would keep the old entry as well, and return it.
        """
        changes = {key.encode(): note for key, note in self.changes()}
        others = {key: value for key, value in (metadata or {}).items() if key not in changes}
        return others | {key: note.encode() for key, note in changes.items() if note is not None}


def known_columns(metadata: Mapping[Any, Any] | None) -> Mapping[str, list[str]]:
    """Which columns a schema's metadata says were added, by prefix."""
    metadata = metadata or {}
    # pyarrow's keys are bytes.
    text = metadata.get(COLUMNS_KEY.encode(), metadata.get(COLUMNS_KEY))
    try:
        known: Any = json.loads(text) if text is not None else {}
    except (ValueError, RecursionError):
        known = {}
    return noted_columns(known)


def noted_columns(note: object) -> Mapping[str, list[str]]:
    """Which columns a note says were added, by prefix; whatever else stands in its place says none."""
    known = cast("dict[Any, object]", note) if isinstance(note, dict) else {}
    return {
        prefix: [name for name in cast("Iterable[Any]", names) if isinstance(name, str)]
        for prefix, names in known.items()
        if isinstance(prefix, str) and isinstance(names, list)
    }
