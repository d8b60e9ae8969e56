"""HTML pages: a start page with all jobs, and a page for each visualization job."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from html import escape
from typing import Final

from airflow_provider_modelarts.api.training_jobs import statuses as phases
from airflow_provider_modelarts.api.visualization_jobs.statuses import FAILED, READY, status_label
from airflow_provider_modelarts.emulator.cloud import Cloud, Route
from airflow_provider_modelarts.emulator.http import Request, Response
from airflow_provider_modelarts.emulator.visualization_jobs.routes import PAGE_PATH

CONSOLE_PATH: Final = "/console/"
"""Path of the start page, which is also the ``console_url``."""

_GREEN, _RED, _GRAY = "#1a7f37", "#cf222e", "#57606a"

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="2">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 3rem auto; padding: 0 1rem; color: #222; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.5rem; }}
dt, th {{ color: #57606a; font-weight: normal; text-align: left; }}
dd {{ margin: 0; overflow-wrap: anywhere; }}
td, th {{ padding: .2rem 1.5rem .2rem 0; }}
tr:target {{ background: #fff8c5; }}
.status {{ border-radius: .3rem; padding: .1rem .5rem; color: #fff; }}
footer {{ margin-top: 2rem; color: #57606a; font-size: .85rem; }}
</style>
</head>
<body>
<h1>{title}</h1>
{content}
<footer>ModelArts emulator: no cloud behind this page.</footer>
</body>
</html>
"""


def show_start(cloud: Cloud, request: Request) -> Response:
    """GET the page that lists all jobs."""
    boards = [
        (f"job-{job.job_id}", _board_link(cloud, job.job_id, job.job_name), str(job.job_id), _board_status(job.status))
        for job in cloud.visualization_jobs.all()
    ]
    trainings = [
        (f"/training/detail/{job.job_id}", escape(job.job_name), job.job_id, _phase(job.phase))
        for job in cloud.training_jobs.all()
    ]
    content = _table("Visualization jobs", boards) + _table("Training jobs", trainings)
    return _page(200, "ModelArts emulator", content)


def show_job(cloud: Cloud, request: Request) -> Response:
    """GET the page of a visualization job."""
    try:
        job = cloud.visualization_jobs.get(request.path_params["job_id"])
        if request.path_params["project_id"] != cloud.options.project_id:
            raise KeyError
    except KeyError:
        return _page(404, "No such visualization job", "<p>It was deleted, or never existed.</p>")
    rows = {
        "Status": _board_status(job.status),
        "Type": escape(job.job_type),
        "Description": escape(job.job_desc),
        "Files": f"<code>{escape(job.train_url)}</code>",
        "Created": datetime.fromtimestamp(job.create_time, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC"),
        "Running for": f"{job.duration(cloud.clock.now()):.0f} s",
    }
    content = "".join(f"<dt>{name}</dt><dd>{value}</dd>\n" for name, value in rows.items())
    return _page(200, escape(job.job_name), f"<dl>\n{content}</dl>")


def _table(title: str, rows: Iterable[tuple[str, str, str, str]]) -> str:
    """
    Return a table of jobs.

    :param rows: anchor, name, ID and status of each; names and statuses are HTML
    """
    lines = "".join(
        f'<tr id="{escape(anchor)}"><td>{name}</td><td>{escape(job_id)}</td><td>{status}</td></tr>\n'
        for anchor, name, job_id, status in rows
    )
    head = "<tr><th>Name</th><th>ID</th><th>Status</th></tr>\n"
    return f"<h2>{title}</h2>\n" + (f"<table>\n{head}{lines}</table>\n" if lines else "<p>There are none.</p>\n")


def _board_link(cloud: Cloud, job_id: int, job_name: str) -> str:
    path = PAGE_PATH.format(project_id=cloud.options.project_id, job_id=job_id)
    return f'<a href="{escape(path)}">{escape(job_name)}</a>'


def _board_status(status: int) -> str:
    return _status(status_label(status), is_ready=status in READY, is_failed=status in FAILED)


def _phase(phase: str) -> str:
    return _status(phase, is_ready=phase in phases.READY, is_failed=phase in phases.FAILED)


def _status(label: str, *, is_ready: bool, is_failed: bool) -> str:
    color = _GREEN if is_ready else _RED if is_failed else _GRAY
    return f'<span class="status" style="background: {color}">{escape(label)}</span>'


def _page(status: int, title: str, content: str) -> Response:
    body = _PAGE.format(title=title, content=content)
    return Response(status=status, body=body.encode(errors="replace"), media_type="text/html; charset=utf-8")


ROUTES: Final = (
    Route(None, "GET", CONSOLE_PATH, show_start),
    Route("page", "GET", PAGE_PATH, show_job),
)
