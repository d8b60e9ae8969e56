"""The vendor's own SDK works on the emulated training jobs: create, show, list, stop, delete, logs, events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException

from tests.emulator.client import Api

sdk = pytest.importorskip("huaweicloudsdkmodelarts.v1", reason="the SDK is in the group dev only")


@pytest.fixture
def client(api: Api) -> Any:
    credentials = BasicCredentials(api.emulator.ak, api.emulator.sk, api.emulator.project_id)
    builder = sdk.ModelArtsClient.new_builder().with_credentials(credentials).with_endpoint(api.emulator.url)
    return builder.build()


def job(name: str) -> Any:
    engine = sdk.JobEngine(image_url="org/img:1")
    return sdk.Job(
        kind="job",
        metadata=sdk.JobMetadata(name=name, description="d"),
        algorithm=sdk.JobAlgorithm(engine=engine, command="python train.py", environments={"A": "1"}),
        spec=sdk.Spec(resource=sdk.Resource(flavor_id="modelarts.vm.cpu.2u", node_count=1)),
    )


def refusal(call: Callable[[], Any]) -> tuple[int, str]:
    with pytest.raises(ClientRequestException) as refused:
        call()
    return refused.value.status_code, refused.value.error_code


def test_the_life_of_a_job(api: Api, client: Any) -> None:
    created = client.create_training_job(sdk.CreateTrainingJobRequest(body=job("sdk-1")))
    job_id = created.metadata.id
    assert created.status.phase == "Creating"
    assert refusal(lambda: client.create_training_job(sdk.CreateTrainingJobRequest(body=job("sdk-1")))) == (
        400,
        "ModelArts.2751",
    )
    api.emulator.advance(10)
    shown = client.show_training_job_details(sdk.ShowTrainingJobDetailsRequest(training_job_id=job_id))
    assert (shown.status.phase, shown.status.tasks) == ("Running", ["worker-0"])
    logs = client.show_training_job_logs_preview(
        sdk.ShowTrainingJobLogsPreviewRequest(training_job_id=job_id, task_id="worker-0")
    )
    assert logs.content.splitlines()[1] == "INFO step 1: loss 1.0000"
    lines = client.show_training_job_logs_from_aom(
        sdk.ShowTrainingJobLogsFromAomRequest(training_job_id=job_id, task_id="worker-0", lines=2, order="asc")
    )
    assert lines.content.splitlines() == ["INFO step 4: loss 0.2500", "INFO step 5: loss 0.2000"]
    stopped = client.stop_training_job(
        sdk.StopTrainingJobRequest(training_job_id=job_id, body=sdk.JobActionType(action_type="terminate"))
    )
    assert (stopped.status_code, stopped.status.phase) == (202, "Terminating")
    api.emulator.advance(5)
    events = client.list_training_job_events(sdk.ListTrainingJobEventsRequest(training_job_id=job_id, limit=1))
    assert events.events[0].message == "Training job terminated."
    deleted = client.delete_training_job(sdk.DeleteTrainingJobRequest(training_job_id=job_id))
    assert deleted.status_code == 202
    api.emulator.advance(5)
    request = sdk.ShowTrainingJobDetailsRequest(training_job_id=job_id)
    assert refusal(lambda: client.show_training_job_details(request)) == (400, "ModelArts.2775")


def test_lists(api: Api, client: Any) -> None:
    ids = [api.emulator.training_jobs.create(f"job-{number}").job_id for number in range(3)]
    body = sdk.JobSearches(
        limit=2, offset=1, filters=[sdk.Filter(key="name", operator="like", value=["job-"])], order="asc"
    )
    found = client.list_training_jobs(sdk.ListTrainingJobsRequest(body=body))
    assert ([item.metadata.id for item in found.items], found.count) == ([ids[2]], 3)
    body = sdk.JobSearches(filters=[sdk.Filter(key="id", operator="in", value=ids[:2])])
    found = client.list_training_jobs(sdk.ListTrainingJobsRequest(body=body))
    assert {item.metadata.id for item in found.items} == set(ids[:2])


def test_what_jobs_can_run_on(client: Any) -> None:
    assert client.show_training_job_engines(sdk.ShowTrainingJobEnginesRequest()).total == 2
    assert client.show_training_job_flavors(sdk.ShowTrainingJobFlavorsRequest()).total_count == 3
    assert client.show_training_quotas(sdk.ShowTrainingQuotasRequest()).quotas[0].resource == "job-num"


def test_changes_and_names(api: Api, client: Any) -> None:
    training_job = api.emulator.training_jobs.create("taken")
    client.change_training_job_description(
        sdk.ChangeTrainingJobDescriptionRequest(
            training_job_id=training_job.job_id, body=sdk.JobUpdateRequestBody(description="new")
        )
    )
    assert training_job.body["metadata"]["description"] == "new"
    request = sdk.ValidateTrainingJobNameRequest(job_name="taken")
    assert client.validate_training_job_name(request).is_duplicate is True
