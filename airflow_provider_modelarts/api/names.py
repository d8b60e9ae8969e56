"""Finds the one job of a name. The API has no such operation: the list is searched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_modelarts.api.errors import ModelArtsAmbiguousNameError, ModelArtsNotFoundError

if TYPE_CHECKING:
    from airflow_provider_modelarts.api.client import ModelArtsClient
    from airflow_provider_modelarts.api.models import VisualizationJob


def the_job_named(client: ModelArtsClient, job_name: str) -> VisualizationJob:
    """
    Return the job of exactly this name.

    :raises ModelArtsNotFoundError: no job has the name
    :raises ModelArtsAmbiguousNameError: several jobs have it
    """
    listed = client.iter_visualization_jobs(search_content=job_name, order="desc")
    jobs = [job for job in listed if job.job_name == job_name]
    if not jobs:
        raise ModelArtsNotFoundError(
            f"There is no visualization job with the name {job_name!r}. Check the job_name, and the project_id, region "
            "and workspace_id that are used."
        )
    if len(jobs) > 1:
        job_ids = ", ".join(job.job_id for job in jobs[:10])
        raise ModelArtsAmbiguousNameError(
            f"{len(jobs)} visualization jobs have the name {job_name!r}: {job_ids}. Give the job_id instead."
        )
    return jobs[0]
