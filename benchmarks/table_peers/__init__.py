"""The contestants that make a pandas frame: one small file each, written as such people write."""
