"""The button on a task that opens its visualization job, with the name of the job's type if that is known."""

from __future__ import annotations

from typing import Final

from airflow_provider_modelarts.links.base import JobLink


class ModelArtsVisualizationJobLink(JobLink):
    """Opens the page of a visualization job."""

    name = "ModelArts visualization job"


class TensorBoardLink(ModelArtsVisualizationJobLink):
    """Opens a visualization job that is known to be a TensorBoard."""

    name = "TensorBoard"


class MindInsightLink(ModelArtsVisualizationJobLink):
    """Opens a visualization job that is known to be a MindInsight."""

    name = "MindInsight"


LINKS_BY_JOB_TYPE: Final[dict[str, ModelArtsVisualizationJobLink]] = {
    "tensorboard": TensorBoardLink(),
    "mindinsight": MindInsightLink(),
}
