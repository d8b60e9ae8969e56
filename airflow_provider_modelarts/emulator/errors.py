"""Refusals: the errors that the gateway, ModelArts and IAM answer, each in its own envelope."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """
    A request ends with an error.

    :param status: HTTP status
    :param code: error code as in the API's tables, ``ModelArts.0104``
    :param message: text for people
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def body(self, request_id: str) -> dict[str, Any]:
        """Return the error in its envelope."""
        raise NotImplementedError


class GatewayRefusal(Refusal):
    """The API gateway refuses, before the service sees the request."""

    def body(self, request_id: str) -> dict[str, Any]:
        return {"error_msg": self.message, "error_code": self.code, "request_id": request_id}


class ModelArtsRefusal(Refusal):
    """ModelArts refuses."""

    def body(self, request_id: str) -> dict[str, Any]:
        return {"is_success": False, "error_message": self.message, "error_code": self.code}


class KeystoneRefusal(Refusal):
    """IAM refuses, as Keystone does: the code is the HTTP status, the title its name."""

    def __init__(self, status: int, title: str, message: str) -> None:
        super().__init__(status, title, message)

    def body(self, request_id: str) -> dict[str, Any]:
        return {"error": {"code": self.status, "message": self.message, "title": self.code}}


def not_published() -> GatewayRefusal:
    """Return what the gateway says to an unknown path or method, and for an API out of service."""
    return GatewayRefusal(404, "APIGW.0101", "The API does not exist or has not been published in the environment.")


def unauthenticated(reason: str) -> GatewayRefusal:
    """Return what the gateway says when it does not know who asks."""
    return GatewayRefusal(401, "APIGW.0301", f"Incorrect IAM authentication information: {reason}")


def invalid(message: str) -> ModelArtsRefusal:
    """Return what ModelArts says to a parameter that it does not accept; the message names it."""
    return ModelArtsRefusal(400, "ModelArts.0104", message)
