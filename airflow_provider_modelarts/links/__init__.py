"""Links from a task to the job in the console."""
