"""The exceptions of the API client. Each knows whether a retry may help."""

from __future__ import annotations


class ModelArtsError(Exception):
    """
    A call of the API failed. The text says what happened, where, and what to do next; it never contains a secret.

    :param message: the whole text
    :param method: HTTP method of the request
    :param url: URL of the request, with the job ID
    :param status_code: HTTP status of the response; None if there was none
    :param error_code: code in the response, such as ``ModelArts.0102``, ``APIGW.0301`` or ``IAM.0002``
    :param error_message: text in the response
    :param request_id: ID for the vendor's support
    :param retry_after: seconds until the server accepts requests again
    :param retryable: whether the same request may succeed later; by default that of the class
    :param may_have_happened: whether the server may have carried out the request; by default that of the
        class
    :param part: the failed part, in one word; by default that of the class
    """

    part: str = "request"
    retryable: bool = False
    may_have_happened: bool = False
    hint: str = ""

    def __init__(
        self,
        message: str,
        *,
        method: str | None = None,
        url: str | None = None,
        status_code: int | None = None,
        error_code: str | None = None,
        error_message: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        retryable: bool | None = None,
        may_have_happened: bool | None = None,
        part: str | None = None,
    ) -> None:
        super().__init__(message)
        self.method = method
        self.url = url
        self.status_code = status_code
        self.error_code = error_code
        self.error_message = error_message
        self.request_id = request_id
        self.retry_after = retry_after
        if retryable is not None:
            self.retryable = retryable
        if may_have_happened is not None:
            self.may_have_happened = may_have_happened
        if part is not None:
            self.part = part

    def doubt(self) -> None:
        """Record that an earlier attempt may have been carried out."""
        if not self.may_have_happened:
            self.may_have_happened = True
            self.args = (f"{self} Whether an earlier attempt was carried out is not known.",)


class ModelArtsConnectionError(ModelArtsError):
    """
    There was no response: the name does not resolve, TLS or the proxy failed, the connection was refused or broke.

    ``part`` is ``"DNS"``, ``"TLS"``, ``"proxy"`` or ``"connection"``.
    """

    part = "connection"
    retryable = True


class ModelArtsTimeoutError(ModelArtsConnectionError):
    """The server did not answer in time (``connect_timeout``, ``read_timeout``)."""


class ModelArtsThrottledError(ModelArtsError):
    """Too many requests (HTTP 429, APIGW.0308, ModelArts.0114, ModelArts.6101). Nothing was carried out."""

    part = "throttling"
    retryable = True


class ModelArtsAuthenticationError(ModelArtsError):
    """The credentials are missing, wrong or expired, or belong to another project."""

    part = "credentials"
    hint = (
        "Check login and password of the connection (AK and SK, or IAM user and password together with domain_name) "
        "and its project_id. More than 5 refused signatures lock an AK for 5 minutes."
    )


class ModelArtsPermissionError(ModelArtsError):
    """The credentials are right, but have no permission for this."""

    part = "permission"


class ModelArtsNotFoundError(ModelArtsError):
    """The job was not found (ModelArts.0102, 0015, 2775): a wrong ID, a deleted job, or a job of another project."""

    part = "job"
    hint = "Check the job ID, and the project_id and region of the connection. A deleted job causes the same error."


class ModelArtsConflictError(ModelArtsError):
    """The present state does not allow it: a taken name, or the job's status (ModelArts.0105, 2796, 2813)."""

    hint = "The job's status does not allow this now."


class ModelArtsAmbiguousNameError(ModelArtsError):
    """Several jobs have the name."""

    part = "job"


class ModelArtsStatusChangedError(ModelArtsConflictError):
    """The job's status changed while the request was carried out (ModelArts.2878)."""

    retryable = True
    hint = "The job's status has just changed: get the job, then decide again."


class ModelArtsNameTakenError(ModelArtsConflictError):
    """A job of this name exists (ModelArts.0103, 2751)."""

    hint = "Choose another job_name, or delete the job that has it."


class ModelArtsQuotaError(ModelArtsError):
    """
    A quota is used up (ModelArts.0106, 0113, 0116, 0118, 2815, 2833).

    A retry may help when other jobs are over.
    """

    part = "quota"
    hint = "Stop or delete jobs that are no longer needed, or have the quota raised."


class ModelArtsBadRequestError(ModelArtsError):
    """The server refuses the request."""

    hint = "Correct what the message names."


class ModelArtsServerError(ModelArtsError):
    """The server failed (HTTP 5xx, ModelArts.0010, APIGW.0601 and the like)."""

    part = "server"
    retryable = True
    may_have_happened = True


class ModelArtsMalformedResponseError(ModelArtsError):
    """The response is not one of the API: HTML, an empty or cut body, wrong types."""

    part = "endpoint"
    retryable = True
    may_have_happened = True
    hint = "Check that host names the ModelArts endpoint, and whether a proxy answers in its place."


class ModelArtsRetiredError(ModelArtsError):
    """The API does not exist here (APIGW.0101, ModelArts.2836)."""

    part = "endpoint"
    hint = (
        "No visualization-jobs API answers at this endpoint: either host or region of the connection is wrong, or the "
        "API was retired there. Huawei Cloud's public regions closed the old training management, to which it "
        "belongs, on 2023-06-30."
    )


class ModelArtsConfigurationError(ModelArtsError, ValueError):
    """A field of the connection is invalid or missing. No request was sent."""

    part = "configuration"


class ModelArtsUnexpectedError(ModelArtsError):
    """An unexpected exception: a bug in this package or in a library that it uses."""

    part = "unexpected"
    retryable = True


def unknown_outcome(is_read: bool, may_have_happened: bool) -> str:
    """Return the sentence for a failed request that may have changed something; empty for others."""
    return " Whether it was carried out is not known." if may_have_happened and not is_read else ""
