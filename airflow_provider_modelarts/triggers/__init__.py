"""Triggers: waits that run in the triggerer."""
