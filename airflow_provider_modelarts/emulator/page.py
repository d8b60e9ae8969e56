"""The page behind a job's service_url: what a person sees instead of TensorBoard."""

from __future__ import annotations

from datetime import datetime, timezone
from html import escape
from typing import Final

from airflow_provider_modelarts.api.models import FAILED, READY, status_label
from airflow_provider_modelarts.emulator.cloud import Cloud
from airflow_provider_modelarts.emulator.exchange import Answer, Call
from airflow_provider_modelarts.emulator.jobs import Job

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="2">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem; color: #222; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.5rem; }}
dt {{ color: #666; }}
dd {{ margin: 0; overflow-wrap: anywhere; }}
.status {{ border-radius: .3rem; padding: .1rem .5rem; color: #fff; background: {color}; }}
footer {{ margin-top: 2rem; color: #666; font-size: .85rem; }}
</style>
</head>
<body>
<h1>{title}</h1>
{content}
<footer>ModelArts emulator: no cloud behind this page.</footer>
</body>
</html>
"""


def show(cloud: Cloud, call: Call) -> Answer:
    """GET the page of a job."""
    job = _find(cloud, call)
    if job is None:
        return _html(404, "No such visualization job", "<p>It has been deleted, or never existed.</p>", "#666")
    status = f'<span class="status">{escape(status_label(job.status))}</span>'
    rows = {
        "Status": status,
        "Type": escape(job.job_type),
        "Description": escape(job.job_desc),
        "Files": f"<code>{escape(job.train_url)}</code>",
        "Created": _time(job.create_time),
        "Running for": f"{job.duration(cloud.clock.now()):.0f} s",
    }
    content = "".join(f"<dt>{name}</dt><dd>{value}</dd>\n" for name, value in rows.items())
    return _html(200, escape(job.job_name), f"<dl>\n{content}</dl>", _color(job.status))


def _find(cloud: Cloud, call: Call) -> Job | None:
    if call.path_params["project_id"] != cloud.project_id:
        return None
    return cloud.job_store.get(call.path_params["job_id"], cloud.clock.now())


def _html(status: int, title: str, content: str, color: str) -> Answer:
    body = _PAGE.format(title=title, content=content, color=color)
    return Answer(status=status, body=body.encode(errors="replace"), media_type="text/html; charset=utf-8")


def _color(status: int) -> str:
    if status in READY:
        return "#1a7f37"
    return "#cf222e" if status in FAILED else "#57606a"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
