"""What the embedded footing adds: a broker without a server, a supervisor, a demo site."""
