"""Files that are written whole or not at all, what they may replace, and pipes that must not block.

Shared with the command line.
"""
