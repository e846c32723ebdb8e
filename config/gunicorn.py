"""gunicorn's settings, wherever web runs; the environment says what differs."""

import os

bind = os.environ.get("HASHWORLD_WEB_BIND", "127.0.0.1:8000")
worker_class = "gthread"
# A process waits for the database more than it computes, so that threads are what counts.
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = int(os.environ.get("WEB_THREADS", "8"))
# A list of a million URLs takes about a minute to be handed in.
timeout = 300
graceful_timeout = 60
keepalive = 5
# Every process is replaced now and then, so that nothing that leaks lives for ever.
max_requests = 10_000
max_requests_jitter = 1_000
# Shared memory: a slow disk must not make a process look dead.
worker_tmp_dir = "/dev/shm"  # noqa: S108
control_socket_disable = True
# Only the proxy reaches this port; it says from where a request really came.
forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1")
errorlog = "-"
loglevel = "warning"
