"""`make demo-ui`: Airflow's web UI with the example DAGs, the connection and the emulator, until Ctrl-C."""

from __future__ import annotations

import signal
import sys

from tools.local_airflow import LocalAirflowError
from tools.stage import interrupt_once, stage

SLOW_START = "1:0,7:10,8:120"  # RUNNING after about two minutes, time to trigger a DAG that waits for it


def serve() -> None:
    """Run Airflow and the emulator and say where to look, until interrupted."""
    print("Starting Airflow and the ModelArts emulator ...", flush=True)
    with stage() as (airflow, emulator):
        airflow.wait_for_dag("modelarts_gate_on_running")
        job_id = emulator.create_job(job_name="demo-tensorboard", script=SLOW_START)
        print(
            f"""
  Airflow      {airflow.url} (no login)
  Connection   {airflow.url}/connections: modelarts_default leads to the emulator
  Emulator     {emulator.url}

  Trigger modelarts_gate_on_running with job_id {job_id}, which takes two minutes to be RUNNING, or
  modelarts_visualization_job_life_cycle as it is.

  Ctrl-C ends everything.""",
            flush=True,
        )
        signal.pause()


def main() -> int:
    """Return the exit status, and say what went wrong if something did."""
    interrupt_once()
    try:
        serve()
    except (LocalAirflowError, OSError) as error:  # OSError: no answer, no port, too late
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nEnded; nothing is left running.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
