"""What the REST door says and takes, a module for each thing."""
