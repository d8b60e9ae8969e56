"""What is done to Airflow while tasks wait. A new row is one entry of `DISASTERS`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

import psutil

from airflow_provider_modelarts.emulator import Emulator
from tests.e2e.observed_run import ObservedRun
from tests.kill.dags.waits_to_be_killed import MODES, ON_WORKERS
from tools.local_airflow import LocalAirflow, poll_until

TRIGGERERS: Final = ("triggerer", "triggerer-2")
DOWN: Final = 10.0
"""Seconds for which a component stays away: some looks, and some heartbeats of Airflow's tasks."""

FROZEN: Final = 26.0
"""Seconds after which Airflow has given up what is frozen, and others have taken over."""

OUTAGE_TIMEOUT: Final = 90.0
"""Seconds within which all waits must have noticed an outage; it is shorter than what they tolerate."""


@dataclass
class Scene:
    """Where a disaster happens: all waits of a run are under way."""

    airflow: LocalAirflow
    emulator: Emulator
    connection: str
    run: ObservedRun
    frozen: Collection[psutil.Process] = ()

    def kill(self, *components: str) -> None:
        """Kill components at once."""
        for component in components:
            self.airflow.kill(component)

    def start(self, *components: str) -> None:
        """Start components again after a while, and wait until they work."""
        time.sleep(DOWN)
        for component in components:
            self.airflow.start_component(component)
        self.airflow.wait_until_healthy()

    def polling_triggerer(self) -> str:
        """Return a triggerer that holds waits of this run: one that keeps a connection to the emulator."""
        return next(name for name in TRIGGERERS if any(map(self._polls, self.airflow.processes(name))))

    def workers(self) -> list[psutil.Process]:
        """Return the processes of the tasks that are on a worker, and of what supervises them."""
        running = [instance for instance in self.run.instances() if instance["state"] == "running"]
        return [process for instance in running for process in self.airflow.worker_processes(instance)]

    def deferred_before_failed_poll(self) -> list[str]:
        """Return the tasks that are deferred, and whose log knows of no failed poll."""
        deferred = [instance["task_id"] for instance in self.run.instances() if instance["state"] == "deferred"]
        return [task_id for task_id in deferred if " have failed for " not in self.run.log(task_id)]

    def freeze(self, processes: Collection[psutil.Process]) -> None:
        """Stop processes as a machine does that hangs; they know nothing of it."""
        assert processes
        for process in processes:
            process.suspend()
        self.frozen = processes

    def thaw(self) -> None:
        """Let them go on, when somebody else has long taken over."""
        time.sleep(FROZEN)
        for process in self.frozen:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    def _polls(self, process: psutil.Process) -> bool:
        return any(peer.raddr and peer.raddr.port == self.emulator.port for peer in process.net_connections("tcp"))


@dataclass(frozen=True)
class Disaster:
    """
    One row of the table.

    :param name: what happens, as the table says it
    :param strike: does it; some jobs move right after that
    :param mend: repairs what is left to be repaired; the other jobs move once Airflow has noticed the first ones
    :param may_cost_a_try: the modes in which a wait may lose a try by it, as any task of Airflow's would
    """

    name: str
    strike: Callable[[Scene], None]
    mend: Callable[[Scene], None] = lambda scene: None
    may_cost_a_try: Collection[str] = ()


def _kill_workers(scene: Scene) -> None:
    workers = scene.workers()
    assert workers
    for process in workers:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _kill_triggerers_and_begin_outage(scene: Scene) -> None:
    scene.kill(*TRIGGERERS)
    scene.emulator.stop()


def _start_triggerers_and_end_outage(scene: Scene) -> None:
    """Let the API answer once the first polls of the new triggerers have failed."""
    scene.start(*TRIGGERERS)
    poll_until(lambda: not scene.deferred_before_failed_poll(), OUTAGE_TIMEOUT, scene.deferred_before_failed_poll)
    scene.emulator.start()


def _begin_rolling_restart(scene: Scene) -> None:
    scene.airflow.end("triggerer")


def _end_rolling_restart(scene: Scene) -> None:
    scene.start("triggerer")
    scene.airflow.end("triggerer-2")
    scene.start("triggerer-2")


def _change_secret(scene: Scene) -> None:
    """Change the connection, then have the old key refused, as whoever rotates a secret should."""
    access_key, secret_key = "ROTATEDAK00000000000", "RotatedSecretKeyNotARealSecret000000000"
    fields = {**scene.emulator.connection(), "login": access_key, "password": secret_key}
    scene.airflow.change_connection(scene.connection, fields)
    scene.emulator.ak, scene.emulator.sk = access_key, secret_key


def _start_everything(scene: Scene) -> None:
    """Start the API server first: what a scheduler starts without it fails."""
    scene.start("api-server")
    for component in scene.airflow.components[1:]:
        scene.airflow.start_component(component)
    scene.airflow.wait_until_healthy()


DISASTERS: Final = (
    Disaster("all workers that hold waits killed", _kill_workers, may_cost_a_try=ON_WORKERS),
    Disaster(
        "all workers that hold waits frozen, given up, and back",
        lambda scene: scene.freeze(scene.workers()),
        Scene.thaw,
        may_cost_a_try=ON_WORKERS,
    ),
    Disaster(
        "both triggerers killed",
        lambda scene: scene.kill(*TRIGGERERS),
        lambda scene: scene.start(*TRIGGERERS),
    ),
    Disaster(
        "both triggerers killed, and back during an outage of ModelArts",
        _kill_triggerers_and_begin_outage,
        _start_triggerers_and_end_outage,
    ),
    Disaster("one of two triggerers killed", lambda scene: scene.kill(scene.polling_triggerer())),
    Disaster(
        "one of two triggerers frozen, given up, and back",
        lambda scene: scene.freeze(scene.airflow.processes(scene.polling_triggerer())),
        Scene.thaw,
    ),
    Disaster("rolling restart of both triggerers", _begin_rolling_restart, _end_rolling_restart),
    Disaster(
        "scheduler killed, its workers with it",
        lambda scene: scene.kill("scheduler"),
        lambda scene: scene.start("scheduler"),
        may_cost_a_try=ON_WORKERS,
    ),
    Disaster(
        "API server killed",
        lambda scene: scene.kill("api-server"),
        lambda scene: scene.start("api-server"),
        # What starts on a worker while there is no API server fails there.
        may_cost_a_try=MODES,
    ),
    Disaster("secret changed, the old one refused", _change_secret),
    Disaster(
        "power cut: everything killed",
        lambda scene: scene.kill(*scene.airflow.running),
        _start_everything,
        may_cost_a_try=ON_WORKERS,
    ),
)
