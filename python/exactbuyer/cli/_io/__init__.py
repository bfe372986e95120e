"""Files in and out: CSV, JSON Lines, Parquet and .xlsx. Knows nothing of calls."""
