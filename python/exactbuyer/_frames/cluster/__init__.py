"""Frames of Spark, Dask and Ray: the workers make keys and join answers, and only the caller sends.

`planner.py` has the steps, `frame.py` what an engine must do for them, `workers.py` what runs on its workers.
`spool.py` and `answers.py` are what the caller keeps: the distinct rows, and their answers.
"""
