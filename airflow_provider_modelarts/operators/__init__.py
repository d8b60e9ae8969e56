"""Operators: the life cycle of a visualization job."""
