"""HashWorld fetches URLs with a cluster, politely, and keeps the record straight."""

__version__ = "0.1.0"
