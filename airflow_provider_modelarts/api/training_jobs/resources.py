"""Resources of training jobs: preset engines, public resource flavors, quotas."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_modelarts.api.fields import Fields


@dataclass(frozen=True)
class Engine:
    """A preset engine: ``engine_id``, or name and version together, choose it for a job."""

    engine_id: str | None
    engine_name: str | None
    engine_version: str | None

    @classmethod
    def from_api(cls, engine: Fields) -> Engine:
        """Read an engine."""
        return cls(engine.text("engine_id"), engine.text("engine_name"), engine.text("engine_version"))


@dataclass(frozen=True)
class Flavor:
    """
    A public resource flavor.

    :param flavor_type: CPU, GPU or Ascend
    :param max_nodes: how many nodes a job may have at most
    :param billing_units: what one node costs in the units of its billing code
    """

    flavor_id: str | None
    flavor_name: str | None
    flavor_type: str | None
    max_nodes: int | None
    billing_code: str | None
    billing_units: float | None

    @classmethod
    def from_api(cls, flavor: Fields) -> Flavor:
        """Read a flavor."""
        billing = flavor.object("billing")
        return cls(
            flavor_id=flavor.text("flavor_id"),
            flavor_name=flavor.text("flavor_name"),
            flavor_type=flavor.text("flavor_type"),
            max_nodes=flavor.whole("max_num") or flavor.object("flavor_info").whole("max_num"),
            billing_code=billing.text("code"),
            billing_units=billing.number("unit_num"),
        )


@dataclass(frozen=True)
class Quota:
    """How much of a resource there is, and how much is used; ``job-num`` counts job records."""

    resource: str | None
    quota: int | None
    used: int | None

    @classmethod
    def from_api(cls, quota: Fields) -> Quota:
        """Read a quota."""
        return cls(quota.text("resource"), quota.whole("quota"), quota.whole("used"))
