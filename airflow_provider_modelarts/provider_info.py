"""The provider's metadata. Every Airflow process loads this module, so it imports nothing."""

from __future__ import annotations

from typing import Any

CONNECTION_FIELDS: dict[str, dict[str, Any]] = {
    "region": {
        "label": "Region",
        "description": "Region ID, such as cn-north-4 or eu-de. Endpoint, if empty, is derived from it.",
        "schema": {
            "type": ["string", "null"],
            "pattern": "^[a-z0-9-]*$",
            "maxLength": 64,
            "examples": ["cn-north-4", "cn-east-3", "ap-southeast-1", "eu-de"],
        },
    },
    "project_id": {
        "label": "Project ID",
        "description": "Taken from the token, or looked up by the region's name, if empty.",
        "schema": {"type": ["string", "null"], "pattern": "^[A-Za-z0-9_-]*$", "maxLength": 64},
    },
    "domain_name": {
        "label": "Account (IAM domain) name",
        "description": "Only for an IAM user and its password; leave it empty for AK and SK.",
        "schema": {"type": ["string", "null"]},
    },
    "security_token": {
        "label": "Security token",
        "description": "Belongs to a temporary AK and SK. Airflow 3.0 to 3.2 shows it while it is typed.",
        "schema": {"type": ["string", "null"], "format": "password"},
    },
    "iam_endpoint": {
        "label": "IAM endpoint",
        "description": "Derived from Endpoint or Region if empty; needed if Endpoint does not begin with modelarts.",
        "schema": {"type": ["string", "null"], "format": "url", "examples": ["https://iam.my-site.example.com"]},
    },
    "workspace_id": {
        "label": "Workspace ID",
        "description": "The API's default workspace if empty.",
        "schema": {"type": ["string", "null"]},
    },
    "console_url": {
        "label": "Console URL",
        "description": "Start of the addresses of training jobs' pages. Known for Huawei Cloud in China.",
        "schema": {
            "type": ["string", "null"],
            "format": "url",
            "examples": ["https://console.my-site.example.com/modelarts/"],
        },
    },
    "verify": {
        "label": "Verify TLS",
        "description": "true (default), false, or the path of a CA bundle.",
        "schema": {"type": ["string", "null"], "examples": ["true", "false", "/etc/ssl/certs/my-ca.pem"]},
    },
    "proxies": {
        "label": "Proxies",
        "description": (
            'JSON object by scheme, {"https": "http://proxy:3128"}; {} for no proxy. By default from the environment.'
        ),
        "schema": {"type": ["string", "null"], "examples": ['{"https": "http://proxy:3128"}']},
    },
    "connect_timeout": {
        "label": "Connect timeout (s)",
        "description": "Seconds until a connection must be established. Default: 10.",
        "schema": {"type": ["number", "null"], "minimum": 0, "maximum": 86400},
    },
    "read_timeout": {
        "label": "Read timeout (s)",
        "description": "Seconds that the server may be silent. Default: 30.",
        "schema": {"type": ["number", "null"], "minimum": 0, "maximum": 86400},
    },
}
"""Fields of the connection that are stored in its extra, in the order of the form."""

UI_FIELD_BEHAVIOUR: dict[str, Any] = {
    # Airflow 3.3.1 and 3.3.2 refuse to test a connection without a port (apache/airflow#73298): it can be filled in.
    "hidden-fields": ["schema"],
    "relabeling": {
        "host": "Endpoint",
        "login": "Access key (AK), or IAM user",
        "password": "Secret key (SK), or password",
    },
    "placeholders": {
        "host": "empty for a public Region (Extra Fields)",
        "port": "443 (the Test button needs a port)",
        "login": "empty: environment, profile file, ECS agency",
    },
}
"""Labels and placeholders of Airflow's own connection fields."""


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata (entry point ``apache_airflow_provider``)."""
    integration = "Huawei Cloud ModelArts"
    return {
        "package-name": "airflow-provider-modelarts",
        "name": "Huawei Cloud ModelArts",
        "description": "Training jobs and visualization jobs (TensorBoard, MindInsight) of Huawei Cloud ModelArts.",
        "integrations": [
            {
                "integration-name": integration,
                "external-doc-url": "https://support.huaweicloud.com/intl/en-us/api-modelarts/modelarts_03_0066.html",
                "tags": ["service"],
            }
        ],
        "hooks": [{"integration-name": integration, "python-modules": ["airflow_provider_modelarts.hooks.modelarts"]}],
        "sensors": [
            {
                "integration-name": integration,
                "python-modules": [
                    "airflow_provider_modelarts.sensors.visualization_job",
                    "airflow_provider_modelarts.sensors.training_job",
                ],
            }
        ],
        "operators": [
            {
                "integration-name": integration,
                "python-modules": [
                    "airflow_provider_modelarts.operators.visualization_job",
                    "airflow_provider_modelarts.operators.training_job",
                    "airflow_provider_modelarts.operators.clean_up",
                ],
            }
        ],
        "triggers": [
            {
                "integration-name": integration,
                "python-modules": [
                    "airflow_provider_modelarts.triggers.visualization_job",
                    "airflow_provider_modelarts.triggers.visualization_job_event",
                    "airflow_provider_modelarts.triggers.training_job",
                    "airflow_provider_modelarts.triggers.training_job_event",
                ],
            }
        ],
        "extra-links": [
            "airflow_provider_modelarts.links.training_job.ModelArtsTrainingJobLink",
            *(
                f"airflow_provider_modelarts.links.visualization_job.{name}"
                for name in ("ModelArtsVisualizationJobLink", "TensorBoardLink", "MindInsightLink")
            ),
        ],
        "asset-uris": [
            {
                "schemes": ["modelarts"],
                "handler": "airflow_provider_modelarts.assets.uris.sanitize_uri",
                "factory": "airflow_provider_modelarts.assets.uris.create_asset",
            }
        ],
        "config": {
            "modelarts": {
                "description": "Huawei Cloud ModelArts",
                "options": {
                    "jobs_in_ui": {
                        "description": (
                            "Show what tasks wait for in the UI: a tab of each task instance, and a page of all waits "
                            "(Airflow 3.1 and later). API server, workers and triggerers need the same value."
                        ),
                        "version_added": "0.1.0",
                        "type": "boolean",
                        "example": None,
                        "default": "False",
                    }
                },
            }
        },
        "connection-types": [
            {
                "connection-type": "modelarts",
                "hook-class-name": "airflow_provider_modelarts.hooks.modelarts.ModelArtsHook",
                "hook-name": "Huawei Cloud ModelArts",
                "conn-fields": CONNECTION_FIELDS,
                "ui-field-behaviour": UI_FIELD_BEHAVIOUR,
            }
        ],
    }
