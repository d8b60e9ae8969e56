"""Pages in Airflow's UI that show jobs: a tab of each task, and an overview of all waits. Off by default."""
