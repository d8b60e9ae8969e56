"""ModelArts' REST API v1 in Python: visualization jobs. Imports no Airflow."""
