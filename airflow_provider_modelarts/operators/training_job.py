"""The operators for training jobs: create, stop and delete. All are safe to run again."""

from __future__ import annotations

from airflow_provider_modelarts.api.training_jobs.kind import TRAINING_JOBS
from airflow_provider_modelarts.links.training_job import ModelArtsTrainingJobLink
from airflow_provider_modelarts.operators.create_training_job import ModelArtsCreateTrainingJobOperator
from airflow_provider_modelarts.operators.existing import DeleteJobOperator, StopJobOperator
from airflow_provider_modelarts.operators.waiting_training_job import TRIGGER

__all__ = [
    "ModelArtsCreateTrainingJobOperator",
    "ModelArtsDeleteTrainingJobOperator",
    "ModelArtsStopTrainingJobOperator",
]


class ModelArtsStopTrainingJobOperator(StopJobOperator):
    """
    Stops a training job, waits until it is over, and returns it. The job is kept, but cannot be restarted.

    :param job_id: ID of the job, or the output of a task that created or waited for it (templated)
    :param job_name: name of the job instead; it is an error if no job has it (templated)
    :param if_already: what to do if the job is over: ``"skip"`` the stop and succeed, or ``"fail"``
    :param kwargs: arguments of ``BaseOperator``. All others are as for :class:`.WaitingJobOperator`
    :raises AirflowFailException: the job does not exist; or it is over, and ``if_already`` is ``"fail"``
    :raises WaitError: the job did not end; Airflow's retries apply
    """

    custom_operator_name = "Stop training job"
    kind = TRAINING_JOBS
    trigger_path = TRIGGER
    operator_extra_links = (ModelArtsTrainingJobLink(),)


class ModelArtsDeleteTrainingJobOperator(DeleteJobOperator):
    """
    Deletes a training job, waits until it is gone, and returns its last known state. This cannot be undone.

    :param job_id: ID of the job, or the output of a task that created or waited for it (templated)
    :param job_name: name of the job instead; it is an error if no job has it (templated)
    :param stop_first: whether to stop a job that is not over before it is deleted
    :param if_already: what to do if the job is gone: ``"skip"`` the deletion and succeed, or ``"fail"``
    :param kwargs: arguments of ``BaseOperator``. All others are as for :class:`.WaitingJobOperator`
    :raises AirflowFailException: the job does not exist, and ``if_already`` is ``"fail"``
    :raises WaitError: the job was not deleted; Airflow's retries apply
    """

    custom_operator_name = "Delete training job"
    kind = TRAINING_JOBS
    trigger_path = TRIGGER
    operator_extra_links = (ModelArtsTrainingJobLink(),)
