"""`httpx`, async."""

import asyncio
import json

import httpx
from workload import CHUNK, IN_FLIGHT, KEY, PATH


async def enrich(job):
    limit = asyncio.Semaphore(IN_FLIGHT)
    async with httpx.AsyncClient(base_url=job.url, headers={"X-API-Key": KEY}, timeout=300) as client:

        async def fetch(start):
            async with limit:
                queries = [{"field_type": t, "value": v} for t, v in job.rows[start : start + CHUNK]]
                payload = {"required_fields": json.dumps([]), "query_list": json.dumps(queries)}
                response = await client.post(PATH, data=payload)
                response.raise_for_status()
                return response.json()["contacts"]

        chunks = await asyncio.gather(*[fetch(i) for i in range(0, len(job.rows), CHUNK)])
    return [contact for chunk in chunks for contact in chunk]


def run(job):
    return asyncio.run(enrich(job))
