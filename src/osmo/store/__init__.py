"""Bytes under keys at a URL. Foreign libraries, their names and their errors stop in this package."""
