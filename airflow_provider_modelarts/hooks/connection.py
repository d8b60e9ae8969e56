"""Reads an Airflow connection into a client's configuration, tests it, and describes its form for Airflow below 3.2."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_modelarts.api.checks import to_text
from airflow_provider_modelarts.api.fields import printable
from airflow_provider_modelarts.provider_info import CONNECTION_FIELDS, UI_FIELD_BEHAVIOUR

if TYPE_CHECKING:
    from airflow_provider_modelarts.api.client import ModelArtsClient
    from airflow_provider_modelarts.api.config import ModelArtsConfig

log = logging.getLogger(__name__)

_MOST_IGNORED: Final = 10
"""The most unknown fields that a message names."""

_TRUE: Final = ("true", "yes", "on", "1")
_FALSE: Final = ("false", "no", "off", "0")


def config_from_connection(connection: Any, *, extra: Mapping[str, Any], **overrides: Any) -> ModelArtsConfig:
    """
    Return the configuration that an Airflow connection describes. An empty field counts as not set.

    :param connection: of type ``modelarts``, or ``huaweicloud`` of `apache-airflow-providers-huawei`
    :param extra: the connection's decoded extra
    :param overrides: fields of the configuration that override the connection's
    :raises ValueError: a field is missing or invalid; the text names it, and the fields that were ignored
    """
    from airflow_provider_modelarts.api.config import ignored_text

    ignored = _ignored_fields(connection, extra)
    if ignored:
        log.warning("Connection %s: %s", connection.conn_id, ignored_text(ignored))
    try:
        return _config(connection, extra, overrides, ignored)
    except ValueError as error:
        raise ValueError(f"{error}{f'. {ignored_text(ignored)}' if ignored else ''}") from None


def _ignored_fields(connection: Any, extra: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the fields of a connection that have no effect. (A connection of another provider has more fields.)"""
    if connection.conn_type != "modelarts":
        return ()
    unknown = sorted(name for name, value in extra.items() if name not in CONNECTION_FIELDS and not _is_empty(value))
    schema = ["schema (write http:// or https:// in front of host)"] if connection.schema else []
    return tuple(schema + [printable(name, 64) for name in unknown[:_MOST_IGNORED]])


def _config(
    connection: Any, extra: Mapping[str, Any], overrides: Mapping[str, Any], ignored: tuple[str, ...]
) -> ModelArtsConfig:
    from airflow_provider_modelarts.api.config import ModelArtsConfig
    from airflow_provider_modelarts.api.endpoints import normalized_endpoint

    given = {**extra, **{name: value for name, value in overrides.items() if not _is_empty(value)}}
    fields: dict[str, Any] = {
        name: _read(name, given[name]) for name in CONNECTION_FIELDS if not _is_empty(given.get(name))
    }
    if connection.host:
        fields["endpoint"] = normalized_endpoint(connection.host.strip(), field="host", port=connection.port)
    login, password = connection.login or "", connection.password or ""
    if not fields.get("domain_name"):
        # White space cannot be part of an AK or SK, but it can be part of a user's password.
        login, password = login.strip(), password.strip()
    return ModelArtsConfig(**fields, login=login or None, password=password or None, ignored=ignored)


def form_widgets() -> dict[str, Any]:
    """Return the form fields for Airflow 2.11 to 3.1; later versions read the provider's metadata."""
    from wtforms import PasswordField, StringField  # type: ignore[import-untyped]

    def widget(field: Mapping[str, Any]) -> Any:
        kind = PasswordField if field["schema"].get("format") == "password" else StringField
        return kind(field["label"], description=field["description"])

    return {name: widget(field) for name, field in CONNECTION_FIELDS.items()}


def field_behaviour() -> dict[str, Any]:
    """Return how Airflow 2.11 to 3.1 show their own fields."""
    return {name.replace("-", "_"): value for name, value in UI_FIELD_BEHAVIOUR.items()}


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _read(name: str, value: Any) -> Any:
    """Return the value of a field of the extra. In a URI and in some forms, all values are text."""
    if name == "verify":
        return _verify(value)
    if name == "proxies":
        return _proxies(value)
    if name.endswith("_timeout"):
        return _seconds(name, value)
    text = to_text(value)
    if not isinstance(text, str):
        raise ValueError(f"{name}: is not text, but {type(value).__name__}")
    return text


def _verify(value: Any) -> bool | str:
    if isinstance(value, bool):
        return value
    text = str(value).strip()
    if text.lower() in _TRUE or text.lower() in _FALSE:
        return text.lower() in _TRUE
    return text


def _proxies(value: Any) -> dict[str, str]:
    try:
        decoded = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        decoded = None
    if not isinstance(decoded, Mapping) or not all(isinstance(url, str) for url in decoded.values()):
        raise ValueError('proxies: not a JSON object such as {"https": "http://proxy:3128"}')
    return dict(decoded)


def _seconds(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: {value!r:.100} is not a number of seconds") from None


def describe_jobs(client: ModelArtsClient) -> str:
    """
    Return the number of jobs of each kind in the project, and which kind cannot be listed.

    Most deployments have only one of the two APIs, and many users have permission for only one.

    :raises ModelArtsError: neither kind can be listed
    """
    from airflow_provider_modelarts.api.errors import ModelArtsError, ModelArtsPermissionError, ModelArtsRetiredError

    counts: dict[str, Callable[[], int | None]] = {
        "visualization jobs": lambda: client.visualization_jobs.list_page(per_page=1).job_total_count,
        "training jobs": lambda: client.training_jobs.search_page(limit=1).job_total_count,
    }
    listed: list[str] = []
    failures: dict[str, ModelArtsError] = {}
    for noun, count in counts.items():
        try:
            number = count()
            listed.append(f"{number} {noun.removesuffix('s') if number == 1 else noun}")
        except (ModelArtsPermissionError, ModelArtsRetiredError) as error:
            failures[noun] = error
    if not listed:
        # An API that refuses exists.
        raise min(failures.values(), key=lambda error: isinstance(error, ModelArtsRetiredError))
    reasons = [
        f"there is no API of {noun}" if isinstance(error, ModelArtsRetiredError) else f"{noun}: {error.part}: {error}"
        for noun, error in failures.items()
    ]
    return "; ".join([" and ".join(listed), *reasons])
