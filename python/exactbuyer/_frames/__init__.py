"""Tables: pandas, polars, pyarrow and other Arrow data. Shared with the command line.

Data that cannot be read or looked up raises a `ConfigError`. An object that is not a table raises a
`TypeError`.
"""
