"""IDs of training jobs as short text: the asset state store keeps them."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection
from typing import Final
from uuid import UUID

from airflow_provider_modelarts.api.training_jobs.parameters import checked_job_id

_PLAIN: Final = "="
"""Prefix of an ID that is not a UUID."""


def pack(job_ids: Collection[str]) -> str:
    """Return IDs as text, sorted: 22 characters for each UUID."""
    return " ".join(map(_pack_one, sorted(job_ids)))


def unpack(text: str) -> list[str]:
    """
    Return the IDs in a text made by :func:`pack`.

    :raises ValueError: the text was not made by it
    """
    return [_unpack_one(entry) for entry in text.split()]


def _pack_one(job_id: str) -> str:
    try:
        uuid = UUID(job_id)
    except ValueError:
        return _PLAIN + job_id
    return urlsafe_b64encode(uuid.bytes).decode().rstrip("=")


def _unpack_one(entry: str) -> str:
    if entry.startswith(_PLAIN):
        return checked_job_id(entry.removeprefix(_PLAIN))
    return str(UUID(bytes=urlsafe_b64decode(f"{entry}==")))
