"""One real DAG on whichever Airflow is installed, and the table of what became of it."""
