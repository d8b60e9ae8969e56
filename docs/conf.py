"""
The documentation as a site: `make docs`. It is built from the repository's root, so that all links work in both.

By Sphinx, which also builds Airflow's own documentation: it reads the docstrings as they are.
"""

from __future__ import annotations

import logging

from airflow_provider_modelarts import __version__

logging.getLogger("airflow").setLevel(logging.WARNING)  # autodoc imports it, and it logs its settings

project = "airflow-provider-modelarts"
author = "airflow-provider-modelarts contributors"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
include_patterns = ["*.md", "docs/**"]
# Sphinx walks through all other folders, links included: environments of `make matrix` would keep it busy for ever.
exclude_patterns = [".*", "build", "docs/site"]
root_doc = "docs/index"

myst_heading_anchors = 4

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"airflow-provider-modelarts {release}"
html_extra_path = ["site"]
