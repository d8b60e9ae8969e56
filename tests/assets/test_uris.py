"""Asset URIs of jobs, as Airflow checks them when a DAG file is parsed."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from airflow_provider_modelarts._compat import airflow_version
from airflow_provider_modelarts.assets import training_job, uris, visualization_job

PLACE = {"region": "cn-north-4", "project_id": "0123456789abcdef0123456789abcdef"}


def test_each_kind_of_job_has_uris_of_its_own() -> None:
    assert (
        visualization_job.create_asset(**PLACE, job=197).uri
        == f"modelarts://{'/'.join(PLACE.values())}/visualization-jobs/197"
    )
    assert (
        training_job.create_asset(**PLACE, job="nightly").uri
        == f"modelarts://{'/'.join(PLACE.values())}/training-jobs/nightly"
    )
    assert uris.create_asset(**PLACE, job="a", collection="training-jobs") == training_job.create_asset(
        **PLACE, job="a"
    )


def test_a_uri_has_one_spelling() -> None:
    uri = uris.sanitize_uri(urlsplit("modelarts://CN-North-4/p/training-jobs/a/"))
    assert uri.geturl() == "modelarts://cn-north-4/p/training-jobs/a"


@pytest.mark.parametrize(
    "uri",
    [
        "modelarts://r/p/services/a",
        "modelarts://r/p/training-jobs/",
        "modelarts:///p/training-jobs/a",
        "modelarts://r/p/training-jobs/a?x=1",
        "modelarts://r/p/training-jobs/a#x",
        "modelarts://r/p/training-jobs/a/b",
        "modelarts://r//training-jobs/a",
    ],
)
def test_what_is_not_the_uri_of_a_job_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match=r"training-jobs/\{job id or job name\}"):
        uris.sanitize_uri(urlsplit(uri))


@pytest.mark.skipif(airflow_version() < (3, 0), reason="assets of Airflow 2.11 have no name")
def test_an_asset_has_the_name_of_its_job() -> None:
    assert visualization_job.create_asset(**PLACE, job=197).name == "197"
    assert training_job.create_asset(**PLACE, job="nightly", name="mine").name == "mine"
