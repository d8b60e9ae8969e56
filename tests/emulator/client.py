"""A client that signs with Huawei's own signer, so that the emulator is not tested with an idea of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import requests
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer

from airflow_provider_modelarts.emulator import Emulator


class Api:
    """Sends requests to an emulator, signed unless other credentials are given."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.session = requests.Session()
        self.timeout = 10.0
        self.jobs = f"/v1/{emulator.project_id}/visualization-jobs"

    def send(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        signer_keys: tuple[str, str] | None = None,
    ) -> requests.Response:
        """Send a signed request; a body that is no bytes goes as JSON."""
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        signed = Signer(BasicCredentials(*(signer_keys or (self.emulator.ak, self.emulator.sk)))).sign(
            SdkRequest(
                method=method,
                schema="http",
                host=self.emulator.url.removeprefix("http://"),
                resource_path=path,
                query_params=list((query or {}).items()),
                header_params={"Content-Type": "application/json", **(headers or {})},
                body=content,
            )
        )
        url = self.emulator.url + signed.uri
        return self.session.request(method, url, headers=signed.header_params, data=signed.body, timeout=self.timeout)

    def create(self, **fields: Any) -> requests.Response:
        return self.send("POST", self.jobs, body={"job_name": "visualization-job", "train_url": "/obs/name/", **fields})

    def list(self, **query: object) -> requests.Response:
        return self.send("GET", self.jobs, query)

    def get(self, job_id: object) -> requests.Response:
        return self.send("GET", f"{self.jobs}/{job_id}")

    def update(self, job_id: object, body: Any) -> requests.Response:
        return self.send("PUT", f"{self.jobs}/{job_id}", body=body)

    def delete(self, job_id: object) -> requests.Response:
        return self.send("DELETE", f"{self.jobs}/{job_id}")

    def stop(self, job_id: object) -> requests.Response:
        return self.send("POST", f"{self.jobs}/{job_id}/stop")

    def restart(self, job_id: object) -> requests.Response:
        return self.send("POST", f"{self.jobs}/{job_id}/restart")

    def status(self, job_id: object) -> int | str:
        """Return the status of a job, or the error code."""
        answer = self.get(job_id).json()
        status: int | str = answer.get("status", answer.get("error_code"))
        return status


ApiMaker = Callable[..., Api]
