"""One call: its arguments and rows, how it waits, how it ends, and what the enricher remembers of it."""
