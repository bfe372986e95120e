"""`aiohttp` and `orjson`: what an expert writes today."""

import asyncio

import aiohttp
import orjson
from workload import CHUNK, IN_FLIGHT, KEY, PATH


async def enrich(job):
    limit = asyncio.Semaphore(IN_FLIGHT)
    async with aiohttp.ClientSession(headers={"X-API-Key": KEY}) as session:

        async def fetch(start):
            async with limit:
                queries = [{"field_type": t, "value": v} for t, v in job.rows[start : start + CHUNK]]
                payload = {"required_fields": "[]", "query_list": orjson.dumps(queries).decode()}
                async with session.post(job.url + PATH, data=payload) as response:
                    response.raise_for_status()
                    return orjson.loads(await response.read())["contacts"]

        chunks = await asyncio.gather(*[fetch(i) for i in range(0, len(job.rows), CHUNK)])
    return [contact for chunk in chunks for contact in chunk]


def run(job):
    return asyncio.run(enrich(job))
