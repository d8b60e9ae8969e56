"""Builds and checks the body of the request that creates a training job."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from functools import partial
from typing import Any, Final, TypeAlias

from airflow_provider_modelarts.api import checks
from airflow_provider_modelarts.api.training_jobs.parameters import (
    checked_description,
    checked_job_name,
    checked_workspace_id,
)

Channels: TypeAlias = "Mapping[str, str] | Iterable[Mapping[str, Any]]"
"""Inputs or outputs: ``{"data_url": "obs://bucket/data/"}``, or a list of the API's own objects."""

_KIND: Final = re.compile(r"[a-z_]{1,64}")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PATH: Final = re.compile(r"/[^/]+/.*")
_EVENTS: Final = (
    "JobStarted", "JobCompleted", "JobFailed", "JobTerminated", "JobRestarted", "JobHanged", "JobPreempted",
)  # fmt: skip
_SHORTEST_SECRET: Final = 5
"""Characters. Airflow 3 does not mask shorter values; 2.11 would mask them inside other words."""

_SHAPES: Final = (
    "a job needs one of: algorithm_id; code_dir, boot_file and a preset engine (engine_id, or engine_name and "
    "engine_version); image_url and command"
)


def create_body(
    *,
    job_name: str | None = None,
    kind: str | None = None,
    description: str | None = None,
    workspace_id: str | None = None,
    algorithm_id: str | None = None,
    engine_id: str | None = None,
    engine_name: str | None = None,
    engine_version: str | None = None,
    code_dir: str | None = None,
    boot_file: str | None = None,
    image_url: str | None = None,
    command: str | None = None,
    parameters: Mapping[str, Any] | Iterable[Mapping[str, Any]] | None = None,
    inputs: Channels | None = None,
    outputs: Channels | None = None,
    environments: Mapping[str, Any] | None = None,
    flavor_id: str | None = None,
    pool_id: str | None = None,
    node_count: int | str | None = None,
    log_url: str | None = None,
    auto_stop_hours: int | str | None = None,
    annotations: Mapping[str, Any] | None = None,
    body: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """
    Return the body of the create operation. One of three sets of parameters says what runs:

    - ``algorithm_id``: an algorithm of ModelArts' algorithm management
    - ``code_dir``, ``boot_file`` and a preset engine: ``engine_id``, or ``engine_name`` and ``engine_version``
    - ``image_url`` and ``command``: a custom image; ``code_dir`` is optional

    :param job_name: 1 to 64 letters, digits, ``_`` or ``-``; unique
    :param kind: ``job`` by default
    :param description: at most 256 characters
    :param workspace_id: ``0`` or 32 letters and digits
    :param code_dir: OBS directory with the code, ``obs://bucket/dir/`` or ``/bucket/dir/``
    :param boot_file: file in ``code_dir`` that is started; a path relative to it will do
    :param image_url: image in SWR, ``organization/image:tag``
    :param parameters: hyperparameters, passed as ``--name=value``
    :param inputs: OBS URL of each input, by name
    :param outputs: OBS directory of each output, by name
    :param environments: environment variables, at most 100; ``$NAME`` in a value is not replaced
    :param flavor_id: resource flavor; needed unless there is a ``pool_id``
    :param pool_id: dedicated resource pool
    :param node_count: 1 by default
    :param log_url: OBS directory to keep the logs in; ModelArts itself keeps them for 30 days
    :param auto_stop_hours: hours of running after which ModelArts stops the job, 1 or more
    :param annotations: such as ``{"fault-tolerance/job-retry-num": "3"}``
    :param body: any part of the API's body; the other parameters override it
    :raises ValueError: the API does not accept a parameter; the message names it
    """
    shape = {
        "algorithm_id": algorithm_id,
        "preset engine": engine_id or engine_name or engine_version,
        "image_url": image_url,
    }
    chosen = [name for name, value in shape.items() if value is not None]
    if len(chosen) > 1:
        raise ValueError(f"{' and '.join(chosen)}: only one of them is allowed; {_SHAPES}")
    named = {
        "kind": kind,
        "metadata": {
            "name": job_name,
            "description": description,
            "workspace_id": workspace_id,
            "annotations": None if annotations is None else _texts(annotations),
        },
        "algorithm": {
            "id": algorithm_id,
            "code_dir": code_dir,
            "boot_file": boot_file,
            "command": command,
            "engine": {
                "engine_id": engine_id,
                "engine_name": engine_name,
                "engine_version": engine_version,
                "image_url": image_url,
            },
            "parameters": None if parameters is None else _parameters(parameters),
            "inputs": None if inputs is None else _channels(inputs),
            "outputs": None if outputs is None else _channels(outputs),
            "environments": None if environments is None else _texts(environments),
        },
        "spec": {
            "resource": {"flavor_id": flavor_id, "pool_id": pool_id, "node_count": node_count},
            "log_export_path": {"obs_url": log_url},
            "auto_stop": None if auto_stop_hours is None else {"time_unit": "HOURS", "duration": auto_stop_hours},
        },
    }
    defaults = {"kind": "job", "spec": {"resource": {"node_count": 1}}}
    merged = _merged(_merged(defaults, deepcopy(dict(body or {}))), _without_none(named))
    _check(merged)
    return merged


def environment_secrets(environments: object) -> tuple[str, ...]:
    """Return the values of environment variables that are long enough to be secrets; nothing if it is not a mapping."""
    values = environments.values() if isinstance(environments, Mapping) else ()
    return tuple(value for value in map(str, values) if len(value) >= _SHORTEST_SECRET)


def _check(body: dict[str, Any]) -> None:
    """Check every field that has a limit, and write it in the API's form."""
    for path, check in _CHECKS.items():
        *parents, field = path.split(".")
        place = body
        for name in parents:
            place = place.get(name, {})
        if field in place:
            place[field] = check(path, place[field])
    checked_job_name(body.get("metadata", {}).get("name"))
    if body["kind"] == "job":
        _check_algorithm(body.get("algorithm", {}))
        resource = body["spec"]["resource"]
        if not (resource.get("flavor_id") or resource.get("pool_id") or resource.get("pool_group_id")):
            raise ValueError("flavor_id: needed, unless pool_id names a dedicated resource pool")


def _check_algorithm(algorithm: dict[str, Any]) -> None:
    """Check that the body says what to run, and resolve a boot file that is relative to its directory."""
    engine = algorithm.get("engine", {})
    code_dir, boot_file = algorithm.get("code_dir"), algorithm.get("boot_file")
    if algorithm.get("id"):
        return
    if algorithm.get("subscription_id") or algorithm.get("item_version_id"):
        if not (algorithm.get("subscription_id") and algorithm.get("item_version_id")):
            raise ValueError("algorithm: subscription_id and item_version_id are needed together")
        return
    if not (
        engine.get("engine_id")
        or engine.get("image_url")
        or (engine.get("engine_name") and engine.get("engine_version"))
    ):
        raise ValueError(f"algorithm: {_SHAPES}")
    if boot_file:
        if not code_dir:
            raise ValueError("code_dir: needed with boot_file")
        algorithm["boot_file"] = _boot_file(code_dir, boot_file)
    elif not algorithm.get("command"):
        needed = "command" if engine.get("image_url") else "code_dir and boot_file"
        raise ValueError(f"{needed}: needed; {_SHAPES}")


def _boot_file(code_dir: str, boot_file: object) -> str:
    path = _slashed("boot_file", boot_file)
    path = path if path.startswith(("/", "file:")) else code_dir + path
    if not path.startswith(code_dir):
        raise ValueError(f"boot_file: {boot_file!r:.200} is not in code_dir {code_dir!r:.200}")
    return path


def _slashed(path: str, value: object) -> str:
    """Return an OBS path as ``/bucket/...``; the console shows ``obs://bucket/...``."""
    text = checks.text(path, value)
    return "/" + text.removeprefix("obs://") if text.startswith("obs://") else text


def _directory(path: str, value: object) -> str:
    """Return an OBS directory as ``/bucket/.../``; some deployments refuse one without the last slash."""
    directory = _slashed(path, value)
    if directory.startswith("file://"):
        return directory
    if not _PATH.fullmatch(directory + "/"):
        raise ValueError(f"{path}: {value!r:.200} is not an OBS directory, such as obs://bucket/dir/")
    return directory if directory.endswith("/") else directory + "/"


def _count(path: str, value: object, high: int | None = None) -> int:
    """Return a number of at least 1; accept text, because templates render text."""
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    return checks.whole_number(path, number, 1, high)


def _kind(path: str, value: object) -> str:
    if not isinstance(value, str) or not _KIND.fullmatch(value):
        raise ValueError(f"{path}: {value!r:.100} is not a kind of job, such as job or visualization_job")
    return value


def _object(path: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{path}: {value!r:.100} is not an object")
    return dict(value)


def _environments(path: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        # The value itself may be a secret.
        raise ValueError(f"{path}: is not an object")
    if len(value) > 100:
        raise ValueError(f"{path}: has {len(value)} variables, at most 100 are allowed")
    for name, content in value.items():
        if not _VARIABLE.fullmatch(str(name)) or len(str(name)) > 8192:
            raise ValueError(f"{path}: {name!r:.100} is not a name of letters, digits and '_'")
        if len(str(content)) > 4096:
            raise ValueError(f"{path}: {name} has {len(str(content))} characters, at most 4096 are allowed")
    return dict(value)


def _local_code_dir(path: str, value: object) -> str:
    directory = checks.text(path, value)
    refused = ("/home/ma-user/modelarts", "/home/ma-user/modelarts-dev", "/home/ma-user/infer")
    plain = directory.rstrip("/")
    if (
        not plain.startswith("/home/")
        or plain == "/home/ma-user"
        or f"{plain}/".startswith(tuple(f"{d}/" for d in refused))
    ):
        raise ValueError(
            f"{path}: {directory!r:.200} is not a directory under /home; /home/ma-user itself and its directories "
            "modelarts, modelarts-dev and infer are not allowed"
        )
    return directory


def _events(path: str, value: Any) -> list[str]:
    return [checks.one_of(path, event, _EVENTS) for event in value]


def _one_of(*allowed: str) -> Callable[[str, object], str]:
    return lambda path, value: checks.one_of(path, value, allowed)


_CHECKS: Final[dict[str, Callable[[str, Any], Any]]] = {
    "kind": _kind,
    "metadata": _object,
    "metadata.training_experiment_reference": _object,
    "metadata.name": lambda path, value: checked_job_name(value),
    "metadata.description": lambda path, value: checked_description(value),
    "metadata.workspace_id": lambda path, value: checked_workspace_id(value),
    "metadata.training_experiment_reference.name": partial(checks.text, limit=64),
    "metadata.training_experiment_reference.description": partial(checks.text, limit=256),
    "algorithm": _object,
    "algorithm.engine": _object,
    "algorithm.code_dir": _directory,
    "algorithm.local_code_dir": _local_code_dir,
    "algorithm.environments": _environments,
    "spec": _object,
    "spec.resource": _object,
    "spec.resource.node_count": _count,
    "spec.log_export_path": _object,
    "spec.log_export_path.obs_url": _directory,
    "spec.auto_stop": _object,
    "spec.auto_stop.time_unit": _one_of("HOURS"),
    "spec.auto_stop.duration": _count,
    "spec.reserved_time": _object,
    "spec.reserved_time.time_unit": _one_of("HOURS"),
    "spec.reserved_time.duration": _count,
    "spec.retention": _object,
    "spec.retention.policy": _one_of("enabled", "disabled"),
    "spec.log_export_config": _object,
    "spec.log_export_config.version": _one_of("v0", "v1"),
    "spec.schedule_policy": _object,
    "spec.schedule_policy.priority": partial(_count, high=3),
    "spec.notification": _object,
    "spec.notification.events": _events,
}
"""Fields of the body that the API limits, by their path."""


def _parameters(parameters: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> list[Any]:
    if isinstance(parameters, Mapping):
        return [{"name": checks.text("parameters", name), "value": str(value)} for name, value in parameters.items()]
    return list(parameters)


def _channels(channels: Channels) -> list[Any]:
    if isinstance(channels, Mapping):
        return [
            {"name": checks.text("name", name), "remote": {"obs": {"obs_url": _slashed(name, url)}}}
            for name, url in channels.items()
        ]
    return list(channels)


def _texts(mapping: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in mapping.items()}


def _without_none(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object without fields that are None, or that are objects without any other fields."""
    found = {key: _without_none(inner) if isinstance(inner, Mapping) else inner for key, inner in value.items()}
    return {key: inner for key, inner in found.items() if inner is not None and inner != {}}


def _merged(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object with the fields of both; a field of ``overrides`` replaces that of ``base``."""
    merged = dict(base)
    for key, value in overrides.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged
