"""No secret is in anything that real Airflow processes log, store or answer, at DEBUG, whatever goes wrong."""

from __future__ import annotations

import pytest

from tests.e2e.observed_run import ObservedRun
from tests.secrets.conftest import CANARIES, Scene
from tests.secrets.dags.marked import HOW, SETTINGS
from tests.secrets.search import found

pytestmark = [pytest.mark.secrets, pytest.mark.timeout(900)]

HEARD: dict[str, tuple[str, ...]] = {
    "log": ("logs/dag_id=canaries/", "GET dags/canaries/dagRuns/"),
    "quoted": ("logs/dag_id=canaries/",),
    "json": ("logs/dag_id=canaries/",),
    "base64": ("logs/dag_id=canaries/",),
    "xcom": ("table xcom", "GET dags/canaries/dagRuns/"),
    "exception": ("logs/dag_id=canaries/",),
    "trigger": ("triggerer.log", "stored trigger", "logs/dag_id=canaries/"),
    "template": ("table rendered_task_instance_fields", "GET dags/canaries/dagRuns/"),
    "dag file": ("logs/dag_processor/",),
    "path": ("api-server.log",),
    "run id": ("scheduler.log", "table dag_run", "table log"),
}
"""Where each canary must be found, by the beginning of the text's name."""


def test_no_secret_is_found(scene: Scene) -> None:
    print(f"{len(scene.secrets)} secrets, {len(scene.texts)} texts, {sum(map(len, scene.texts.values()))} characters")
    assert found(scene.secrets, scene.texts) == []


@pytest.mark.parametrize("name", CANARIES)
def test_the_search_finds_a_canary(name: str, scene: Scene) -> None:
    places = found([scene.canaries[name]], scene.texts)
    for place in HEARD[name]:
        assert [text for text in places if text.startswith(place)] != [], places


def test_everything_happened(scene: Scene) -> None:
    """What failed too early would have had nothing to show."""
    states = {name: dict(zip(_ids(run), run.states(), strict=True)) for name, run in scene.runs.items()}
    assert set(states["waits"].values()) == {"success"}, states["waits"]
    assert set(states["operators"].values()) == {"success"}, states["operators"]
    assert set(states["failures"].values()) == {"failed"}, states["failures"]
    assert set(states["failing_trainings"].values()) == {"failed"}, states["failing_trainings"]
    assert set(states["kills"].values()) == {"failed"}, states["kills"]
    names = {secret.name for secret in scene.secrets}
    assert {"IAM token", "token of an echoing server", "token of a training job"} <= names
    assert any("Trigger" in text and '"tokens"' in text for text in scene.texts.values())
    good = ("aksk", "tokens", "temporary", "proxied")
    assert {name: answer["status"] for name, answer in scene.answers.items()} == {
        name: name in good for name in scene.answers
    }


@pytest.mark.parametrize("task_id", [f"{name}_{how}" for name in ("aksk", "tokens") for how in HOW])
def test_trainings_printed_their_environment(task_id: str, scene: Scene) -> None:
    log, _, error = scene.runs["failing_trainings"].log(task_id).partition("Task failed with exception")
    for text in (log, error):
        assert text.count("logged in with ***") >= len(SETTINGS)


def _ids(run: ObservedRun) -> list[str]:
    return [instance["task_id"] for instance in run.instances()]
