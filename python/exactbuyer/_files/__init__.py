"""Files that are written whole or not at all, and what they may replace. Shared with the command line."""
