"""What is sent to create a training job: the three shapes, the pass-through, and every limit."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest

from airflow_provider_modelarts.api.training_jobs.body import create_body, environment_secrets

IMAGE: dict[str, Any] = {"image_url": "org/img:1", "command": "python /home/train.py"}
SMALL: dict[str, Any] = {"job_name": "n1", "flavor_id": "modelarts.vm.cpu.8u"}


def test_the_shape_of_an_algorithm() -> None:
    body = create_body(
        **SMALL,
        algorithm_id="01c399ae",
        inputs={"data_url": "obs://b/data/"},
        outputs={"train_url": "/b/out/"},
        parameters={"epochs": 3, "lr": 0.1, "resume": True},
        log_url="obs://b/log",
    )
    assert body == {
        "kind": "job",
        "metadata": {"name": "n1"},
        "algorithm": {
            "id": "01c399ae",
            "inputs": [{"name": "data_url", "remote": {"obs": {"obs_url": "/b/data/"}}}],
            "outputs": [{"name": "train_url", "remote": {"obs": {"obs_url": "/b/out/"}}}],
            "parameters": [
                {"name": "epochs", "value": "3"},
                {"name": "lr", "value": "0.1"},
                {"name": "resume", "value": "True"},
            ],
        },
        "spec": {
            "resource": {"flavor_id": "modelarts.vm.cpu.8u", "node_count": 1},
            "log_export_path": {"obs_url": "/b/log/"},
        },
    }


@pytest.mark.parametrize("boot_file", ["train.py", "/b/code/train.py", "obs://b/code/train.py"])
def test_the_shape_of_a_preset_engine(boot_file: str) -> None:
    body = create_body(**SMALL, code_dir="obs://b/code", boot_file=boot_file, engine_id="pytorch_1.8")
    assert body["algorithm"] == {
        "code_dir": "/b/code/",
        "boot_file": "/b/code/train.py",
        "engine": {"engine_id": "pytorch_1.8"},
    }


def test_a_preset_engine_by_name_and_version() -> None:
    body = create_body(**SMALL, code_dir="/b/c/", boot_file="t.py", engine_name="PyTorch", engine_version="1.8")
    assert body["algorithm"]["engine"] == {"engine_name": "PyTorch", "engine_version": "1.8"}


def test_the_shape_of_a_custom_image_in_a_pool() -> None:
    body = create_body(
        job_name="n1",
        **IMAGE,
        pool_id="pool-1",
        node_count="2",
        environments={"KEY": "x$y", "N": 1},
        auto_stop_hours="3",
        annotations={"fault-tolerance/job-retry-num": 3},
        description="",
        workspace_id="0" * 32,
    )
    assert body == {
        "kind": "job",
        "metadata": {
            "name": "n1",
            "description": "",
            "workspace_id": "0" * 32,
            "annotations": {"fault-tolerance/job-retry-num": "3"},
        },
        "algorithm": {
            "command": "python /home/train.py",
            "engine": {"image_url": "org/img:1"},
            "environments": {"KEY": "x$y", "N": "1"},
        },
        "spec": {
            "resource": {"pool_id": "pool-1", "node_count": 2},
            "auto_stop": {"time_unit": "HOURS", "duration": 3},
        },
    }


def test_the_body_lies_under_the_named_parameters_and_stays_as_it_is() -> None:
    given = {
        "metadata": {"name": "given", "description": "d"},
        "algorithm": {"id": "a", "policies": {"x": 1}, "parameters": [{"name": "p", "value": "1", "description": "d"}]},
        "spec": {"resource": {"flavor_id": "f", "node_count": "4"}, "volumes": [{"nfs": {}}]},
        "train_type": "LORA",
    }
    before = copy.deepcopy(given)
    body = create_body(job_name="named", node_count=2, body=given)
    assert given == before
    assert body == {
        **given,
        "kind": "job",
        "metadata": {"name": "named", "description": "d"},
        "spec": {"resource": {"flavor_id": "f", "node_count": 2}, "volumes": [{"nfs": {}}]},
    }


def test_a_whole_body_needs_nothing_else() -> None:
    given = {
        "kind": "visualization_job",
        "metadata": {"name": "board"},
        "algorithm": {"summary": {"data_sources": [{"job": {"job_id": "x"}}]}},
    }
    assert create_body(body=given) == {**given, "spec": {"resource": {"node_count": 1}}}


def test_an_image_with_the_packages_of_an_engine_passes_through_the_body() -> None:
    engine: dict[str, Any] = {"engine_name": "PyTorch", "engine_version": "1.8", "install_sys_packages": True}
    body = create_body(**SMALL, **IMAGE, body={"algorithm": {"engine": engine}})
    assert body["algorithm"]["engine"] == {**engine, "image_url": "org/img:1"}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"job_name": "has blank"}, "job_name|metadata.name"),
        ({"job_name": "x" * 65}, "job_name|metadata.name"),
        ({"job_name": ""}, "job_name|metadata.name"),
        ({"job_name": None}, "job_name: None"),
        ({"kind": "Job!"}, "kind: 'Job!' is not a kind of job"),
        ({"description": "x" * 257}, "description: has 257 characters"),
        ({"workspace_id": "1"}, "workspace_id: '1' is neither"),
        ({"flavor_id": None}, "flavor_id: needed, unless pool_id"),
        ({"node_count": 0}, "spec.resource.node_count: 0 is not a whole number >= 1"),
        ({"node_count": "two"}, "spec.resource.node_count: 'two'"),
        ({"auto_stop_hours": 0.5}, "spec.auto_stop.duration: 0.5"),
        ({"log_url": "bucket"}, "spec.log_export_path.obs_url: 'bucket' is not an OBS directory"),
        ({"environments": {"1A": "x"}}, "algorithm.environments: '1A' is not a name"),
        ({"environments": {"A": "s" * 4097}}, "algorithm.environments: A has 4097 characters"),
        ({"environments": {f"A{i}": "" for i in range(101)}}, "algorithm.environments: has 101 variables"),
        ({"environments": {"A" * 8193: "x"}}, "algorithm.environments: 'AAA"),
        ({"image_url": None}, "algorithm: a job needs one of: algorithm_id; code_dir"),
        ({"command": None}, "command: needed"),
        ({"algorithm_id": "a"}, "algorithm_id and image_url: only one of them"),
        ({"engine_id": "e"}, "preset engine and image_url: only one of them"),
        ({"boot_file": "t.py"}, "code_dir: needed with boot_file"),
        ({"code_dir": "/b/c/", "boot_file": "/b/d/t.py"}, "boot_file: '/b/d/t.py' is not in code_dir '/b/c/'"),
        ({"image_url": None, "engine_id": "e", "command": None}, "code_dir and boot_file: needed"),
        ({"image_url": None, "engine_name": "PyTorch"}, "algorithm: a job needs one of"),
        ({"body": {"algorithm": {"local_code_dir": "/home/ma-user/infer/x"}}}, "algorithm.local_code_dir: "),
        ({"body": {"algorithm": {"local_code_dir": "/opt"}}}, "algorithm.local_code_dir: "),
        ({"body": {"algorithm": {"local_code_dir": "/home/ma-user"}}}, "algorithm.local_code_dir: "),
        ({"body": {"algorithm": {"local_code_dir": "/home/ma-user/"}}}, "algorithm.local_code_dir: "),
        ({"body": {"algorithm": {"local_code_dir": "/home/ma-user/modelarts"}}}, "algorithm.local_code_dir: "),
        ({"body": {"algorithm": {"local_code_dir": "/home/ma-user/modelarts-dev/x"}}}, "algorithm.local_code_dir: "),
        ({"body": {"spec": {"schedule_policy": {"priority": 4}}}}, "spec.schedule_policy.priority: 4"),
        ({"body": {"spec": {"notification": {"events": ["JobDone"]}}}}, "spec.notification.events: 'JobDone'"),
        ({"body": {"spec": {"auto_stop": {"time_unit": "DAYS"}}}}, "spec.auto_stop.time_unit: 'DAYS'"),
        ({"body": {"spec": {"retention": {"policy": "x"}}}}, "spec.retention.policy: 'x'"),
        ({"body": {"spec": {"reserved_time": {"time_unit": "DAYS"}}}}, "spec.reserved_time.time_unit: 'DAYS'"),
        ({"body": {"spec": {"reserved_time": {"duration": 0}}}}, "spec.reserved_time.duration: 0"),
        ({"body": {"spec": {"log_export_config": {"version": "v2"}}}}, "spec.log_export_config.version: 'v2'"),
        ({"body": {"metadata": {"training_experiment_reference": {"name": "x" * 65}}}}, "reference.name: has 65"),
        (
            {"body": {"metadata": {"training_experiment_reference": {"description": "x" * 257}}}},
            "reference.description: has 257",
        ),
        ({"body": {"metadata": ["x"]}, "job_name": None}, "metadata: "),
        ({"body": {"spec": {"resource": "small"}}, "flavor_id": None, "node_count": None}, "spec.resource: 'small'"),
        (
            {"image_url": None, "command": None, "body": {"algorithm": {"subscription_id": "s"}}},
            "subscription_id and item_version_id are needed together",
        ),
    ],
)
def test_what_the_api_would_refuse_is_refused_first(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        create_body(**{**SMALL, **IMAGE, **parameters})


@pytest.mark.parametrize(
    "parameters",
    [
        {"job_name": "x" * 64},
        {"description": "x" * 256},
        {"node_count": 1},
        {"auto_stop_hours": 1},
        {"environments": {f"A{i}": "" for i in range(100)}},
        {"environments": {"A" * 8192: "s" * 4096}},
        {"flavor_id": None, "pool_id": "pool-1"},
        {"flavor_id": None, "body": {"spec": {"resource": {"pool_group_id": "group-1"}}}},
        {"kind": "visualization_job", "flavor_id": None},
        {"inputs": {"data": "obs://b/data/"}, "outputs": []},
        {"body": {"algorithm": {"local_code_dir": "/home/ma-user/modelarts-x"}}},
        {"body": {"algorithm": {"local_code_dir": "/home/ma-user/infer-x/"}}},
        {"body": {"spec": {"schedule_policy": {"priority": 1}}}},
        {"body": {"spec": {"schedule_policy": {"priority": 3}}}},
        {"body": {"spec": {"retention": {"policy": "enabled"}}}},
        {"body": {"spec": {"retention": {"policy": "disabled"}}}},
        {"body": {"spec": {"reserved_time": {"time_unit": "HOURS", "duration": 1}}}},
        {"body": {"spec": {"log_export_config": {"version": "v0"}}}},
        {"body": {"spec": {"log_export_config": {"version": "v1"}}}},
        {"body": {"metadata": {"training_experiment_reference": {"name": "x" * 64, "description": "x" * 256}}}},
        {
            "body": {
                "spec": {
                    "notification": {
                        "events": [
                            "JobStarted",
                            "JobCompleted",
                            "JobFailed",
                            "JobTerminated",
                            "JobRestarted",
                            "JobHanged",
                            "JobPreempted",
                        ]
                    }
                }
            }
        },
    ],
    ids=lambda parameters: json.dumps(parameters)[:60],
)
def test_what_the_api_takes_is_taken_up_to_its_limits(parameters: dict[str, Any]) -> None:
    create_body(**{**SMALL, **IMAGE, **parameters})


@pytest.mark.parametrize(
    ("environments", "secrets"),
    [({"A": "1234", "B": "12345"}, ("12345",)), ({"A": 123456}, ("123456",)), ("A=12345", ()), (None, ())],
)
def test_values_of_five_characters_and_more_count_as_secrets(environments: object, secrets: tuple[str, ...]) -> None:
    assert environment_secrets(environments) == secrets


def test_no_message_shows_the_value_of_an_environment_variable() -> None:
    for environments in ({"A": "s3cret" * 1000}, {"1A": "s3cret"}, {"": "s3cret"}):
        with pytest.raises(ValueError, match=r"algorithm\.environments") as refused:
            create_body(**SMALL, **IMAGE, environments=environments)
        assert "s3cret" not in str(refused.value)
    with pytest.raises(ValueError, match=r"algorithm\.environments: is not an object$"):
        create_body(**SMALL, **IMAGE, body={"algorithm": {"environments": "TOKEN=s3cret"}})


def test_a_subscribed_algorithm_passes_through_the_body() -> None:
    algorithm = {"subscription_id": "s", "item_version_id": "1.0.0"}
    assert create_body(**SMALL, body={"algorithm": algorithm})["algorithm"] == algorithm


def test_code_in_the_image_itself() -> None:
    code: dict[str, Any] = {"code_dir": "file:///home/code", "boot_file": "file:///home/code/train.py"}
    body = create_body(**SMALL, **IMAGE, **code, body={"algorithm": {"local_code_dir": "/home/code"}})
    assert body["algorithm"] == {
        **code,
        "local_code_dir": "/home/code",
        "command": IMAGE["command"],
        "engine": {"image_url": IMAGE["image_url"]},
    }


def test_lists_of_the_apis_own_objects_pass_through() -> None:
    lists: dict[str, Any] = {
        "parameters": [{"name": "p", "value": "1", "constraint": {}}],
        "inputs": [{"name": "i", "remote": {"dataset": {"id": "d"}}}],
        "outputs": [{"name": "o", "remote": {"obs": {"obs_url": "/b/o/"}}, "mode": "upload_periodically"}],
    }
    algorithm = create_body(**SMALL, **IMAGE, **lists)["algorithm"]
    assert {name: algorithm[name] for name in lists} == lists


def test_every_body_is_json() -> None:
    body = create_body(**SMALL, **IMAGE, environments={"A": 1}, inputs=[{"name": "x"}], outputs=())
    assert json.loads(json.dumps(body)) == body
    assert re.search("None|null", json.dumps(body)) is None
