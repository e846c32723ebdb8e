"""Who is alive: nodes, the lands they own."""
