"""Tables: pandas, polars, pyarrow and other Arrow data. Shared with the command line."""
