"""The product on real Airflow processes. A package, so that its Airflow ends with its last test."""
