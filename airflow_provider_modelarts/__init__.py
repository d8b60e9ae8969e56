"""Apache Airflow provider for Huawei Cloud ModelArts visualization jobs."""

__version__ = "0.1.0"
