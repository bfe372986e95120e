"""Saves the bodies that the contestants will be sent: `save_bodies.py URL ROWS FILE`.

Each comes after its length in eight bytes. A process of its own: nothing of it is in anybody's figures.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

from workload import CHUNK, KEY, PATH, make_rows


def main() -> None:
    """Asks the server once for every chunk."""
    url, count, file = sys.argv[1:]
    rows = make_rows(int(count))
    with Path(file).open("wb") as out:
        for start in range(0, len(rows), CHUNK):
            queries = [{"field_type": kind, "value": value} for kind, value in rows[start : start + CHUNK]]
            form = urlencode({"required_fields": "[]", "query_list": json.dumps(queries)}).encode()
            request = urllib.request.Request(url + PATH, form, {"X-API-Key": KEY})
            with urllib.request.urlopen(request, timeout=300) as reply:
                body = reply.read()
            out.write(len(body).to_bytes(8, "big"))
            out.write(body)


if __name__ == "__main__":
    main()
