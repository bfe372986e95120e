"""`requests` with sixteen threads."""

import json
from concurrent.futures import ThreadPoolExecutor

import requests
from workload import CHUNK, IN_FLIGHT, KEY, PATH


def run(job):
    def fetch(start):
        payload = {
            "required_fields": json.dumps([]),
            "query_list": json.dumps(
                [{"field_type": t, "value": v} for t, v in job.rows[start : start + CHUNK]]
            ),
        }
        response = requests.post(job.url + PATH, headers={"X-API-Key": KEY}, data=payload, timeout=300)
        response.raise_for_status()
        return response.json()["contacts"]

    contacts = []
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        for chunk in pool.map(fetch, range(0, len(job.rows), CHUNK)):
            contacts.extend(chunk)
    return contacts
