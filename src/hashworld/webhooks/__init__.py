"""Webhooks after the Standard Webhooks specification: what happened goes out by itself."""
