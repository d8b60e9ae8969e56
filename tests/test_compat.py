"""What Airflow's versions keep in different places is taken from where each of them wants it to be taken from."""

from __future__ import annotations

import subprocess
import sys

IMPORT_EVERYTHING_AND_LISTEN = """
import contextlib, importlib, pkgutil, warnings

import airflow.settings  # sets filters of its own
import airflow_provider_modelarts as package
from airflow_provider_modelarts._compat import airflow_version

with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            # Asset watchers do not exist on Airflow 2.11, and the trigger for them says so.
            missing = ImportError if module.name.endswith("_event") and airflow_version() < (3, 0) else ()
            with contextlib.suppress(missing):
                importlib.import_module(module.name)
print([str(each) for each in seen if each.filename.startswith(tuple(package.__path__))])
"""


def test_nothing_is_imported_from_where_it_is_deprecated() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_EVERYTHING_AND_LISTEN], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
