"""`requests` in a loop, as in the vendor's sample."""

import json

import requests
from workload import CHUNK, KEY, PATH


def run(job):
    contacts = []
    for i in range(0, len(job.rows), CHUNK):
        payload = {
            "required_fields": json.dumps([]),
            "query_list": json.dumps([{"field_type": t, "value": v} for t, v in job.rows[i : i + CHUNK]]),
        }
        response = requests.post(job.url + PATH, headers={"X-API-Key": KEY}, data=payload, timeout=300)
        response.raise_for_status()
        contacts.extend(response.json()["contacts"])
    return contacts
