"""Airflow past one machine. A package, as every place with an Airflow of its own is."""
