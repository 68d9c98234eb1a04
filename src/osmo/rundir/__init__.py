"""Everything about one run on disk. It is the truth; all else is a view of it.

Small JSON records, one writer each, replaced whole. No lock, socket or memory map that a network filesystem cannot
hold, so that a run directory may be shared between machines.
"""
