"""Real Airflow processes that are killed while tasks wait. A package, so that its Airflow ends with its last test."""
