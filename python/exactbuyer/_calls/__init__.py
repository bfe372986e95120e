"""One call: what it is asked, its rows, how it waits, how it ends, and what is remembered of it."""
