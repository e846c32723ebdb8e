"""What to fetch: jobs, tasks, hosts, leases, attempts and contents."""
