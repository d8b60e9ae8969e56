"""What Airflow discovers: the metadata against Airflow's own schema, and what it names against what there is."""

from __future__ import annotations

import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest

import airflow_provider_modelarts as package
from airflow_provider_modelarts._compat import airflow_version
from airflow_provider_modelarts.api.config import ModelArtsConfig
from airflow_provider_modelarts.hooks.connection import field_behaviour
from airflow_provider_modelarts.links.base import JobLink
from airflow_provider_modelarts.operators.base import JobOperator
from airflow_provider_modelarts.provider_info import CONNECTION_FIELDS, get_provider_info
from airflow_provider_modelarts.sensors.base import JobSensor
from airflow_provider_modelarts.triggers.base import JobTrigger


def test_airflows_schema_accepts_it() -> None:
    schema = json.loads((Path(airflow.__path__[0]) / "provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def test_the_connection_form_is_as_airflow_wants_it() -> None:
    schema_file = Path(airflow.__path__[0]) / "provider.yaml.schema.json"
    if not schema_file.exists():
        pytest.skip("this Airflow has no schema for forms")
    connection_type = json.loads(schema_file.read_text())["properties"]["connection-types"]["items"]
    for connection in get_provider_info()["connection-types"]:
        jsonschema.validate(connection, connection_type)
    legacy = json.loads((Path(airflow.__path__[0]) / "customized_form_field_behaviours.schema.json").read_text())
    jsonschema.validate(field_behaviour(), legacy)


def test_what_it_names_is_there() -> None:
    info = get_provider_info()
    for kind in ("hooks", "sensors", "operators", "triggers"):
        for entry in info[kind]:
            for module in entry["python-modules"]:
                if module.endswith("_event") and airflow_version() < (3, 0):
                    with pytest.raises(ImportError, match="need Airflow 3"):
                        importlib.import_module(module)
                else:
                    importlib.import_module(module)
    for entry in info["asset-uris"]:
        for name in (entry["handler"], entry["factory"]):
            module, _, function = name.rpartition(".")
            assert callable(getattr(importlib.import_module(module), function))
    for link in info["extra-links"]:
        module, _, name = link.rpartition(".")
        assert getattr(importlib.import_module(module), name).name
    for connection in info["connection-types"]:
        module, _, name = connection["hook-class-name"].rpartition(".")
        hook = getattr(importlib.import_module(module), name)
        assert hook.conn_type == connection["connection-type"]
        assert hook.hook_name == connection["hook-name"]


@pytest.mark.skipif(airflow_version() < (3, 0), reason="Airflow 2.11 has no event triggers")
def test_it_names_all_that_there_is() -> None:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if ".emulator" not in module.name:
            importlib.import_module(module.name)
    from airflow_provider_modelarts.triggers.base_event import JobEventTrigger

    info = get_provider_info()
    named = {
        name
        for kind in ("sensors", "operators", "triggers")
        for entry in info[kind]
        for module in entry["python-modules"]
        for name in vars(importlib.import_module(module))
    }
    for base in (JobSensor, JobOperator, JobTrigger, JobEventTrigger):
        assert {kind.__name__ for kind in subclasses(base) if kind.__name__.startswith("ModelArts")} <= named
    links = {f"{link.__module__}.{link.__qualname__}" for link in subclasses(JobLink)}
    assert links == set(info["extra-links"])


def subclasses(kind: type) -> set[type]:
    direct: list[type] = kind.__subclasses__()
    return {*direct, *(below for each in direct for below in subclasses(each))}


def test_the_form_has_every_field_of_the_configuration() -> None:
    fields = set(ModelArtsConfig.__dataclass_fields__) - {"endpoint", "login", "password", "ignored"}
    assert set(CONNECTION_FIELDS) == fields


@pytest.mark.parametrize("field", ["connect_timeout", "read_timeout"])
def test_the_form_and_the_configuration_take_the_same_timeouts(field: str) -> None:
    longest: Any = CONNECTION_FIELDS[field]["schema"]["maximum"]
    assert getattr(ModelArtsConfig(region="eu-de", **{field: longest}), field) == longest
    with pytest.raises(ValueError, match=field):
        ModelArtsConfig(region="eu-de", **{field: longest + 1})


def test_the_form_and_the_configuration_take_the_same_project_ids() -> None:
    longest: Any = CONNECTION_FIELDS["project_id"]["schema"]["maxLength"]
    ModelArtsConfig(region="eu-de", project_id="x" * longest)
    with pytest.raises(ValueError, match="project_id"):
        ModelArtsConfig(region="eu-de", project_id="x" * (longest + 1))


def test_loading_it_imports_nothing() -> None:
    code = (
        "import sys; before = set(sys.modules); import airflow_provider_modelarts.provider_info as info;"
        "info.get_provider_info(); print(sorted(set(sys.modules) - before))"
    )
    output = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, cwd=".")
    new = {name.partition(".")[0] for name in eval(output.stdout)}  # noqa: S307
    assert new - sys.stdlib_module_names == {"airflow_provider_modelarts"}
