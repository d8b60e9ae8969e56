"""A client for ModelArts' REST API: visualization jobs (v1) and training jobs (v2). Imports no Airflow."""
