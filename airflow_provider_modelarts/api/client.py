"""The client: one HTTP session, and a family of operations for each kind of job."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final, TypeVar

from airflow_provider_modelarts.api.auth import OnSecret
from airflow_provider_modelarts.api.config import ModelArtsConfig, checked_project_id
from airflow_provider_modelarts.api.errors import (
    ModelArtsConfigurationError,
)
from airflow_provider_modelarts.api.fields import printable
from airflow_provider_modelarts.api.http import Call, Http, Operation, Parse
from airflow_provider_modelarts.api.metrics import Metrics, NoMetrics
from airflow_provider_modelarts.api.training_jobs.operations import TrainingJobs
from airflow_provider_modelarts.api.visualization_jobs.operations import VisualizationJobs

log = logging.getLogger(__name__)

T = TypeVar("T")

_PROJECTS: Final = Operation("projects", "GET", "iam:projects:listProjects", is_login=True)


class ModelArtsClient:
    """
    Client of ModelArts' visualization jobs, REST v1, and training jobs, REST v2. May be used by several threads.

    Every operation raises `ValueError` for a parameter that the API would refuse, before anything is sent, and
    a :class:`~airflow_provider_modelarts.api.errors.ModelArtsError` for what goes wrong after that. Requests are
    repeated on connection errors, 429 and 5xx. A create request is repeated only if no job has been created.

    :param config: address, credentials and project
    :param on_secret: called with each new token or temporary key, before it is used
    :param sleep: sleeps between attempts, for some seconds
    :param metrics: counts the requests
    :ivar visualization_jobs: the operations on visualization jobs
    :ivar training_jobs: the operations on training jobs
    """

    def __init__(
        self,
        config: ModelArtsConfig,
        *,
        on_secret: OnSecret = lambda secret: None,
        sleep: Callable[[float], None] = time.sleep,
        metrics: Metrics | None = None,
    ) -> None:
        self.metrics: Metrics = metrics or NoMetrics()
        self._config = config
        self._http = Http(config, on_secret=on_secret, sleep=sleep, metrics=self.metrics)
        self._project_id = config.project_id
        self.visualization_jobs = VisualizationJobs(self._http, config, lambda: self.project_id)
        self.training_jobs = TrainingJobs(self._http, config, lambda: self.project_id)
        if config.verify is False:
            log.warning("TLS certificates of %s are not verified, as the connection says", config.endpoint)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> ModelArtsClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def calls_like(self, other: ModelArtsClient) -> bool:
        """Return whether both use the same credentials. A credential chain may find others at any time."""
        return self._config == other._config and bool(self._config.login)

    @property
    def project_id(self) -> str:
        """
        Project in use: the configured one, that of the credentials, or the one with the name of the region.

        :raises ModelArtsError: the project had to be looked up, and that failed
        :raises ModelArtsConfigurationError: not exactly one project has the name of the region
        """
        if self._project_id is None:
            with self._http.naming_ignored_fields():
                # It goes into every URL, wherever it comes from.
                self._project_id = checked_project_id(self._http.auth.project_id() or self._project_of_region())
        return self._project_id

    def _project_of_region(self) -> str:
        """Look the project up by its name, which is the region's (IAM, ``GET /v3/projects``)."""
        region = self._config.region
        if not region:
            raise ModelArtsConfigurationError("project_id: needed, unless region names the project")

        def named_ids(data: Mapping[str, Any]) -> list[str]:
            return [str(project["id"]) for project in data["projects"] if project["name"] == region]

        url = f"{self._config.iam_url}/v3/projects"
        ids = self._http.read(Call(_PROJECTS, url, Parse.data(named_ids), {"name": region}))
        if len(ids) != 1:
            found = f"{len(ids)} projects ({printable(', '.join(ids), 200)})" if ids else "no project"
            raise ModelArtsConfigurationError(f"project_id: needed, because IAM has {found} of the name {region!r}")
        return ids[0]
