"""`orjson.loads` over the same bodies, and nothing else: reading them from disk is left out."""

import orjson


def run(job):
    contacts = []
    with open(job.bodies, "rb") as file:
        while True:
            with job.paused():
                length = int.from_bytes(file.read(8), "big")
                body = file.read(length)
            if not body:
                return contacts
            contacts.extend(orjson.loads(body)["contacts"])
