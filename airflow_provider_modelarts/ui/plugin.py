"""
The Airflow plugin that adds the pages. Every Airflow process loads it, so it imports nothing that is not there already.

The pages are static files. In the browser, they ask Airflow's own REST API, as the user who is logged in to the UI.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from airflow.plugins_manager import AirflowPlugin

from airflow_provider_modelarts.ui.shown_jobs import jobs_in_ui

PREFIX: Final = "modelarts"

_PAGES: Final = Path(__file__).parent / "pages"
_TYPES: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'self'; "
        "base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


async def serve(scope: Any, receive: Any, send: Any) -> None:
    """Serve the files of the pages, and nothing else (an ASGI application)."""
    from starlette.responses import PlainTextResponse, Response

    if scope["type"] != "http":
        return
    response: Response
    name = scope["path"].rpartition("/")[2]
    files = {path.name: path for path in _PAGES.iterdir() if path.suffix in _TYPES}
    if scope["method"] not in ("GET", "HEAD"):
        response = PlainTextResponse("Method Not Allowed", 405, {"Allow": "GET, HEAD"})
    elif name in files:
        path = files[name]
        response = Response(path.read_bytes(), headers=_HEADERS, media_type=_TYPES[path.suffix])
    else:
        response = PlainTextResponse("Not Found", 404)
    await response(scope, receive, send)


class ModelArtsJobsPlugin(AirflowPlugin):
    """Adds the tab "ModelArts jobs" to task instances and the page "ModelArts" to the navigation, if they are on."""

    name = "modelarts_jobs"
    fastapi_apps: list[Any] = []  # noqa: RUF012 - as the base class has it
    external_views: list[Any] = []  # noqa: RUF012

    if jobs_in_ui():
        fastapi_apps = [{"app": serve, "url_prefix": f"/{PREFIX}", "name": "ModelArts jobs"}]
        # Relative addresses, because Airflow may be served below a path.
        external_views = [
            {
                "name": "ModelArts jobs",
                "href": f"{PREFIX}/jobs.html?dag={{DAG_ID}}&run={{RUN_ID}}&task={{TASK_ID}}&index={{MAP_INDEX}}",
                "destination": "task_instance",
                "url_route": "modelarts-jobs",
            },
            {
                "name": "ModelArts",
                "href": f"{PREFIX}/waits.html",
                "destination": "nav",
                "category": "browse",
                "url_route": "modelarts-waits",
            },
        ]
