"""The command line: the verbs in a terminal, on the local database or on a remote cluster."""
