"""What is done again and again: the scheduler, and people's recurring jobs."""
