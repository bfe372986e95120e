"""What people read: results, receipts, plans, progress and warnings. Knows nothing of calls."""
