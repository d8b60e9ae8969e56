"""Apache Airflow provider for jobs of Huawei Cloud ModelArts."""

from typing import TYPE_CHECKING

__version__: str
"""The version of the installed package; ``0.0`` if its files are not installed as a package."""

if not TYPE_CHECKING:  # or type checkers would take any name for an attribute of this module

    def __getattr__(name: str) -> str:
        """Look up the version when it is first asked for, because Airflow imports this module for every DAG file."""
        if name != "__version__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("airflow-provider-modelarts")
        except PackageNotFoundError:
            return "0.0"
