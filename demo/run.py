"""`make demo`: real Airflow waits for a visualization job and for a training job, and then runs the next task."""

from __future__ import annotations

import sys
import time
from typing import Any

from tools.local_airflow import FINAL_STATES, LocalAirflow, LocalAirflowError
from tools.stage import interrupt_once, stage

GATE = "modelarts_gate_on_running"
TRAINING = "modelarts_train_and_evaluate"
TRAINING_SCRIPT = "Creating:0,Pending:2,Running:3,Completed:10"  # phase and seconds
TIMEOUT = 300.0  # seconds
NOT_YET = (None, "scheduled", "queued")
LOUD = ("warning", "error", "critical")


class RunFollower:
    """Prints the task states and log lines of a DAG run, each once, as they appear."""

    def __init__(self, airflow: LocalAirflow, dag_id: str, run_id: str) -> None:
        self._airflow = airflow
        self._dag_id = dag_id
        self._run_id = run_id
        self._started = time.monotonic()
        self._states: dict[str, str | None] = {}
        self._lines_seen: set[tuple[str, str, str]] = set()

    def follow(self, timeout: float) -> str:
        """
        Print until the run has ended and return its state.

        :param timeout: seconds
        :raises TimeoutError: it has not ended in time
        """
        while time.monotonic() < self._started + timeout:
            state = self._airflow.run_state(self._dag_id, self._run_id)
            self._print_changes()
            if state in FINAL_STATES:
                return state
            time.sleep(0.5)
        raise TimeoutError(f"the run has not ended within {timeout:g} s")

    def _print_changes(self) -> None:
        instances = self._airflow.task_instances(self._dag_id, self._run_id)
        for instance in sorted(instances, key=lambda instance: instance["start_date"] or "~"):
            self._print_task(instance["task_id"], instance["state"], instance["try_number"])

    def _print_task(self, task_id: str, state: str | None, try_number: int) -> None:
        before = self._states.get(task_id)
        self._states[task_id] = state
        if state in NOT_YET:
            return
        if before in NOT_YET:  # a short task has ended before the first look
            self._print(task_id, "running")
            before = "running"
        if state == "running" != before:
            self._print(task_id, "running")
        for line in filter(_is_worth_showing, self._new_lines(task_id, try_number)):
            self._print(task_id, f"  {line['event']}")
        if state not in (before, "running"):
            self._print(task_id, str(state))

    def _new_lines(self, task_id: str, try_number: int) -> list[dict[str, Any]]:
        if not try_number:  # it never got to a worker
            return []
        # Not by position: what Airflow puts before the lines differs while the task runs.
        lines = {
            (task_id, line["timestamp"], line["event"]): line
            for line in self._airflow.task_log(self._dag_id, self._run_id, task_id, try_number)
            if "timestamp" in line
        }
        new = [line for key, line in lines.items() if key not in self._lines_seen]
        self._lines_seen.update(lines)
        return new

    def _print(self, task_id: str, text: str) -> None:
        print(f"{time.monotonic() - self._started:6.1f} s  {task_id:20} {text}", flush=True)


def _is_worth_showing(line: dict[str, Any]) -> bool:
    """Whether a log line comes from the provider, from the DAG's own code, or is a complaint of Airflow's."""
    logger = line.get("logger", "")
    return "airflow_provider_modelarts" in logger or logger == "task.stdout" or line.get("level") in LOUD


def run_demo() -> int:
    """Run the demo and return the exit status."""
    print("Starting Airflow and the ModelArts emulator ...", flush=True)
    with stage() as (airflow, emulator):
        airflow.wait_for_dag(GATE)
        airflow.wait_for_dag(TRAINING)
        emulator.training_jobs.scripts.add_rule("*", TRAINING_SCRIPT)
        job_id = emulator.create_job(job_name="demo-tensorboard")  # RUNNING after 15 s
        print(f"Airflow is at {airflow.url}, the emulator at {emulator.url}, both until this demo ends.")
        gate = RunFollower(airflow, GATE, airflow.trigger(GATE, {"job_id": job_id}))
        training = RunFollower(airflow, TRAINING, airflow.trigger(TRAINING))
        print(f"\n{GATE} waits until visualization job {job_id} is RUNNING, and then uses it:\n")
        states = [gate.follow(TIMEOUT)]
        print(f"\n{TRAINING} has created a training job. It waits until the job is Completed, and then evaluates it:\n")
        states.append(training.follow(TIMEOUT))
    if states != ["success", "success"]:
        print(f"\nThe DAG runs ended as {' and '.join(states)}.", file=sys.stderr)
        return 1
    print(
        "\nDone: the tasks behind each wait ran after the job had arrived. Nothing is left running. Next: make demo-ui"
    )
    return 0


def main() -> int:
    """Return the exit status, and say what went wrong if something did."""
    interrupt_once()
    try:
        return run_demo()
    except (LocalAirflowError, OSError) as error:  # OSError: no answer, no port, too late
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; nothing is left running.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
