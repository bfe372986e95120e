"""`aiohttp` and `orjson`, with the garbage collector off around the run."""

import gc

from peers import aiohttp_orjson


def run(job):
    gc.disable()
    try:
        return aiohttp_orjson.run(job)
    finally:
        gc.enable()
