"""The contestants: one small file each, written as such people write."""
