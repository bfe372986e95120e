"""The same, with one more field of the job instead of the whole contact's text: what the others keep."""

from exactbuyer import DEFAULT_COLUMNS
from table_peers import exactbuyer_table

prepare, count = exactbuyer_table.prepare, exactbuyer_table.count
COLUMNS = {name: path for name, path in DEFAULT_COLUMNS.items() if name != "contact"}
COLUMNS["seniority"] = "employment.job.seniority"


def run(job):
    return exactbuyer_table.run(job, columns=COLUMNS)
