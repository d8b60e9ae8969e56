"""Names of the training jobs that a task creates: ModelArts takes no name twice, so a task finds its jobs by them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from airflow_provider_modelarts.operators.identity import task_digest

_STEM_LENGTH: Final = 54
"""Of 64 characters, without those of the round and the number."""

_DIGEST_LENGTH: Final = 12
_PREFIX: Final = re.compile(r"[A-Za-z0-9_-]{0,32}")


@dataclass(frozen=True)
class TrainingJobNames:
    """
    Names of the jobs of a task instance: ``{prefix}{dag}-{task}-{digest}-r{round}``, then ``...-2``, ``...-3``.

    All tries of a round share its names. Clearing the task begins another round.

    :param stem: what the names of all rounds begin with
    :param round: ``max_tries`` of the task instance, which clearing changes and a retry does not
    """

    stem: str
    round: int

    @classmethod
    def of(cls, ti: Any, *, airflow: str, prefix: str = "") -> TrainingJobNames:
        """
        Return the names for a task instance.

        :param airflow: what :func:`~.identity.airflow_id` returns; two Airflows with the same DAGs have different names
        :param prefix: at most 32 letters, digits, ``_`` or ``-``
        """
        readable = re.sub(r"[^A-Za-z0-9_-]", "-", f"{prefix}{ti.dag_id}-{ti.task_id}")
        ending = f"-{task_digest(ti, airflow)[:_DIGEST_LENGTH]}"
        return cls(readable[: _STEM_LENGTH - len(ending)] + ending, ti.max_tries)

    def name(self, number: int) -> str:
        """Return the name of the job of this round with a number, from 1."""
        return f"{self.stem}-r{self.round}" + (f"-{number}" if number > 1 else "")

    def parse(self, job_name: str | None) -> tuple[int, int] | None:
        """Return round and number of a job by its name; None if it is not a job of this task instance."""
        found = re.fullmatch(rf"{self.stem}-r(\d{{1,4}})(?:-(\d{{1,3}}))?", job_name or "")
        return None if found is None else (int(found[1]), int(found[2] or 1))


def checked_name_prefix(prefix: object) -> str:
    """
    Return what the names of jobs shall begin with.

    :raises ValueError: it is not at most 32 letters, digits, ``_`` or ``-``
    """
    if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
        raise ValueError(f"name_prefix: {prefix!r:.100} is not at most 32 letters, digits, '_' or '-'")
    return prefix
