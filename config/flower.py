"""Flower's settings. It only shows; who may see it is decided by the proxy in front."""

read_only = True
# Behind /flower/ of the site, without rewriting.
url_prefix = "flower"
port = 5555
xheaders = True
# Leases come and go by the thousand; the work itself is shown by the admin.
max_tasks = 10_000
purge_offline_workers = 3600
