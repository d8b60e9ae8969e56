"""Has the job arrived? What a wait ends in, decided once for every mode. Imports no Airflow."""
