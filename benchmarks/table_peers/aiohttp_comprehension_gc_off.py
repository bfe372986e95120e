"""The same with twelve columns picked by hand, and the garbage collector off around all of it."""

import gc

import pandas as pd
from peers import aiohttp_orjson
from workload import columns

NAMES = ["value", "full_name", "first_name", "last_name", "email", "phone"]
NAMES += ["profile", "city", "country", "company", "title", "school"]


def run(job):
    gc.disable()
    try:
        return pd.DataFrame(columns(aiohttp_orjson.run(job)), columns=NAMES)
    finally:
        gc.enable()


def count(frame):
    return len(frame), int(frame["full_name"].notna().sum())
