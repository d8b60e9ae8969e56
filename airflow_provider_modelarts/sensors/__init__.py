"""Sensors: tasks that wait on the state of a job."""
