"""From an Airflow connection to the configuration of a client, and the connection's form for Airflow below 3.2."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_modelarts.provider_info import CONNECTION_FIELDS, UI_FIELD_BEHAVIOUR

if TYPE_CHECKING:
    from airflow_provider_modelarts.api.config import ModelArtsConfig

log = logging.getLogger(__name__)

_TRUE: Final = ("true", "yes", "on", "1")
_FALSE: Final = ("false", "no", "off", "0")


def config_from_connection(connection: Any, *, extra: Mapping[str, Any], **overrides: str | None) -> ModelArtsConfig:
    """
    Return the configuration that an Airflow connection describes. An empty field counts as not given.

    :param connection: of type ``modelarts``, or ``huaweicloud`` as `apache-airflow-providers-huawei` has it
    :param extra: the connection's decoded extra
    :param overrides: fields of the configuration that win over the connection when they are given
    :raises ValueError: a field cannot be; the text names it
    """
    from airflow_provider_modelarts.api.config import ModelArtsConfig
    from airflow_provider_modelarts.api.endpoints import normalized_endpoint

    given = {name: value for name, value in extra.items() if value not in (None, "")}
    unknown = sorted(given.keys() - CONNECTION_FIELDS.keys())
    if unknown and connection.conn_type == "modelarts":
        log.warning("Connection %s: unknown in its extra, and ignored: %s", connection.conn_id, ", ".join(unknown))
    fields: dict[str, Any] = {name: _read(name, given[name]) for name in CONNECTION_FIELDS if name in given}
    if connection.host:
        fields["endpoint"] = normalized_endpoint(connection.host, field="host", port=connection.port)
    fields.update({"login": connection.login or None, "password": connection.password or None})
    fields.update({name: value for name, value in overrides.items() if value})
    return ModelArtsConfig(**fields)


def form_widgets() -> dict[str, Any]:
    """Return the form fields as Airflow 2.11 to 3.1 ask for them; newer ones read the provider's metadata."""
    from wtforms import PasswordField, StringField  # type: ignore[import-untyped]

    def widget(field: Mapping[str, Any]) -> Any:
        kind = PasswordField if field["schema"].get("format") == "password" else StringField
        return kind(field["label"], description=field["description"])

    return {name: widget(field) for name, field in CONNECTION_FIELDS.items()}


def field_behaviour() -> dict[str, Any]:
    """Return how Airflow 2.11 to 3.1 are to show their own fields."""
    return {name.replace("-", "_"): value for name, value in UI_FIELD_BEHAVIOUR.items()}


def _read(name: str, value: Any) -> Any:
    """Return the value of a field of the extra; all values are text in a URI, and in some forms."""
    if name == "verify":
        return _verify(value)
    if name == "proxies":
        return _proxies(value)
    if name.endswith("_timeout"):
        return _seconds(name, value)
    if not isinstance(value, str):
        raise ValueError(f"{name}: is not text, but {type(value).__name__}")
    return value.strip()


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
        raise ValueError(f"{name}: {value!r} is not a number of seconds") from None
