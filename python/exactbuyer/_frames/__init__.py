"""Tables: pandas, polars, pyarrow and other Arrow data. Shared with the command line.

What cannot be read or looked up raises a `ConfigError`; what is no table, a `TypeError`.
"""
