"""
Authentication: makes an auth object of `requests` from a configuration.

Huawei's SDK and Keystone's client are imported only when a client is made that needs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_modelarts.api.auth.base import ModelArtsAuth, OnSecret

if TYPE_CHECKING:
    import requests

    from airflow_provider_modelarts.api.config import ModelArtsConfig

__all__ = ["ModelArtsAuth", "OnSecret", "auth_for"]


def auth_for(config: ModelArtsConfig, session: requests.Session, on_secret: OnSecret) -> ModelArtsAuth:
    """
    Return the auth object for a client.

    :param config: login, password and domain_name select AK/SK, an IAM user, or the credential chain
    :param session: sends the request for a token
    :param on_secret: called with each new token or temporary key
    """
    if config.domain_name:
        from airflow_provider_modelarts.api.auth.token import IamTokenAuth

        return IamTokenAuth(config, session, on_secret)
    from airflow_provider_modelarts.api.auth.aksk import AkSkAuth, CredentialChainAuth

    if config.login and config.password:
        return AkSkAuth(config.login, config.password, config.security_token)
    return CredentialChainAuth(config.project_id, on_secret)
