"""A folder into a store: scan, gate, upload, commit. A library that is usable with no workflow at all."""
