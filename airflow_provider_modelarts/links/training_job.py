"""The button on a task that opens its training job in the console, where the console's address is known."""

from __future__ import annotations

from airflow_provider_modelarts.links.base import JobLink


class ModelArtsTrainingJobLink(JobLink):
    """Opens the page of a training job."""

    name = "ModelArts training job"
