"""The ASGI application: which path leads where."""

from __future__ import annotations

from functools import partial
from itertools import chain

from starlette.routing import Route, Router

from airflow_provider_modelarts.emulator import admin, keystone, page, visualization_jobs
from airflow_provider_modelarts.emulator.cloud import Cloud
from airflow_provider_modelarts.emulator.errors import not_published
from airflow_provider_modelarts.emulator.exchange import Answer, Call
from airflow_provider_modelarts.emulator.gateway import Endpoint


def build_app(cloud: Cloud) -> Router:
    """Return the application that serves this cloud."""
    routes = chain(
        (
            Route(
                path,
                Endpoint(cloud, name, partial(visualization_jobs.perform, cloud, name, operation)),
                methods=[method],
            )
            for name, method, path, operation in visualization_jobs.ROUTES
        ),
        (
            Route(path, Endpoint(cloud, name, partial(operation, cloud)), methods=[method])
            for name, method, path, operation in keystone.ROUTES
        ),
        (
            Route(path, Endpoint(cloud, None, partial(admin.perform, cloud, operation)), methods=[method])
            for method, path, operation in admin.ROUTES
        ),
        [
            Route(visualization_jobs.PAGE_PATH, Endpoint(cloud, "page", partial(page.show, cloud)), methods=["GET"]),
            # Also takes what has a path from above with another method, which Starlette would answer with 405.
            Route("/{path:path}", Endpoint(cloud, "other", _unknown)),
        ],
    )
    return Router(list(routes), redirect_slashes=False)


def _unknown(call: Call) -> Answer:
    raise not_published()
