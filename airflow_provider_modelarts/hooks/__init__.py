"""Hooks: a ModelArts client made from an Airflow connection."""
