"""Who asks, and may they? Signatures, tokens, project and policy, in the gateway's and ModelArts' words."""

from __future__ import annotations

import hmac
from datetime import datetime, timezone

from airflow_provider_modelarts.emulator.cloud import Cloud
from airflow_provider_modelarts.emulator.errors import ModelArtsRefusal, unauthenticated
from airflow_provider_modelarts.emulator.exchange import Call
from airflow_provider_modelarts.emulator.signature import ALGORITHM, Authorization, SignatureRefused, verify
from airflow_provider_modelarts.emulator.tokens import Scope, Token


def iso_time(timestamp: float) -> str:
    """Return a time as IAM writes it: UTC with microseconds."""
    return datetime.fromtimestamp(timestamp, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def authenticate(cloud: Cloud, call: Call) -> Scope:
    """Return what the caller's credentials are good for; GatewayRefusal (401) when they are missing or wrong."""
    authorization = call.headers.get("authorization", "")
    if authorization.startswith(ALGORITHM):
        _check_signature(cloud, call, authorization)
        return "project"
    return valid_token(cloud, call.headers.get("x-auth-token", "")).scope


def valid_token(cloud: Cloud, secret: str) -> Token:
    """Return the token; GatewayRefusal (401) when it is missing, not ours, or expired."""
    if not secret:
        raise unauthenticated("x-auth-token not found")
    token = cloud.tokens.get(secret)
    if token is None:
        raise unauthenticated("decrypt token fail")
    if token.expires_at <= cloud.now():
        raise unauthenticated(f"token expires, expires_at: {iso_time(token.expires_at)}")
    return token


def authorize(cloud: Cloud, call: Call, scope: Scope, operation: str) -> None:
    """Check that the caller may do this in the project of the path; ModelArtsRefusal (401, 403) when not."""
    if scope != "project":
        raise ModelArtsRefusal(401, "ModelArts.0212", "The token has no project item.")
    project_ids = {call.path_params["project_id"], call.headers.get("x-project-id", cloud.project_id)}
    if project_ids != {cloud.project_id}:
        raise ModelArtsRefusal(403, "ModelArts.0210", "The project id in the URL does not match the token.")
    if operation in cloud.deny:
        action = f"modelarts:tensorboard:{operation}"
        raise ModelArtsRefusal(403, "ModelArts.0112", f"Policy does not allow {action} to be performed.")


def _check_signature(cloud: Cloud, call: Call, header: str) -> None:
    now = cloud.now()
    if cloud.access_key_lock.is_locked(now):
        raise unauthenticated("AK access failed to reach the limit,forbidden")
    authorization = Authorization.parse(header)
    if authorization is None:
        raise unauthenticated("Authorization format incorrect")
    if authorization.access_key != cloud.ak:
        raise unauthenticated(f"Get secretKey failed,ak:{authorization.access_key},err:ak not exist")
    try:
        verify(call, authorization, cloud.sk, now)
        _check_security_token(cloud, call)
    except SignatureRefused as refused:
        cloud.access_key_lock.failed(now)
        raise unauthenticated(str(refused)) from None
    cloud.access_key_lock.succeeded()


def _check_security_token(cloud: Cloud, call: Call) -> None:
    if cloud.security_token is None:
        return
    sent = call.headers.get("x-security-token", "")
    if not hmac.compare_digest(sent.encode(), cloud.security_token.encode()):
        raise SignatureRefused("Get secretKey failed,err:security token invalid")
