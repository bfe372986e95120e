"""`aiohttp`, `orjson` and `pandas.json_normalize`: what people write for a frame."""

import pandas as pd
from peers import aiohttp_orjson


def run(job):
    contacts = aiohttp_orjson.run(job)
    return pd.json_normalize(contacts)


def count(frame):
    return len(frame), int(frame["enriched_contact.full_name"].notna().sum())
