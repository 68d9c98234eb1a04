"""Texts as obstore 0.12.1 wrote them, shortened where they only go on."""

import errno

import pytest
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from osmo.errors import (
    AccessDenied,
    AlreadyExists,
    NoBucket,
    NoCondition,
    NoCopy,
    NoCredentials,
    NotFound,
    StoreError,
    Unavailable,
    UnknownHost,
    WrongCredentials,
)
from osmo.store.answers import Asked, error_of, our_boto_errors, our_file_errors, plain, read
from osmo.store.hints import OF_REASON

SERVED = "Generic S3 error: Error performing {method} http://127.0.0.1:18081/bucket/a in 1.1ms - Server returned non-2xx status code: {status}: {body}\n\nDebug source:\nGeneric {{\n    store: \"S3\",\n    inner: Status {{\n        status: {number},"  # fmt: skip  # noqa: E501
UNSENT = "Generic S3 error: Error performing PUT http://{host}/bkt/a in 263.866µs - HTTP error: error sending request\n\nDebug source:\nGeneric {{\n    store: \"S3\",\n    inner: Http(\n        HttpError {{\n            kind: {kind},\n            source: reqwest::Error {{ {why} }}"  # fmt: skip  # noqa: E501
REDIRECTED = "Generic S3 error: Error performing PUT http://h/b/a in 2.4ms - Received redirect without LOCATION, this normally indicates an incorrectly configured region\n\nDebug source:\nGeneric {\n inner: BareRedirect,\n}"  # noqa: E501


def served(number: int, code: str = "", more: str = "") -> str:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>\n  <Code>{code}</Code>\n  {more}</Error>' if code else ""
    return SERVED.format(method="PUT", status=f"{number} Whatever", number=number, body=body)


def unsent(kind: str, why: str) -> str:
    return UNSENT.format(host="127.0.0.1:1", kind=kind, why=why)


OS_ERROR = 'Os {\n code: %d,\n kind: X,\n message: "y",\n}'


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        (served(403, "SignatureDoesNotMatch"), WrongCredentials, "403 SignatureDoesNotMatch"),
        (served(403, "InvalidAccessKeyId"), WrongCredentials, "403 InvalidAccessKeyId"),
        (served(403, "RequestTimeTooSkewed"), WrongCredentials, "403 RequestTimeTooSkewed"),
        (served(400, "ExpiredToken"), WrongCredentials, "400 ExpiredToken"),
        (served(401), WrongCredentials, "401"),
        (served(403), AccessDenied, "403"),
        (served(404, "NoSuchBucket"), NoBucket, "404 NoSuchBucket"),
        (served(404, "NoSuchKey"), NotFound, "404 NoSuchKey"),
        (served(404), NotFound, "404"),
        (served(404, "NoSuchUpload"), Unavailable, "404 NoSuchUpload"),
        (served(503, "SlowDown"), Unavailable, "503 SlowDown"),
        (served(400, "RequestTimeout"), Unavailable, "400 RequestTimeout"),
        (served(429), Unavailable, "429"),
        (served(500, "InternalError"), Unavailable, "500 InternalError"),
        (served(502), Unavailable, "502"),
        (served(507), Unavailable, "507"),
        (served(409, "ConditionalRequestConflict"), Unavailable, "409 ConditionalRequestConflict"),
        (served(412, "PreconditionFailed"), StoreError, "412 PreconditionFailed"),
        (served(501, "NotImplemented"), StoreError, "501 NotImplemented"),
        (served(400, "InvalidArgument"), StoreError, "400 InvalidArgument"),
        (
            served(400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"),
            NoBucket,
            "400 AuthorizationHeaderMalformed; no such bucket in this region",
        ),
        (
            REDIRECTED,
            NoBucket,
            "the bucket is in another region; no such bucket in this region",
        ),
        (
            unsent("Connect", '"dns error", error: "failed to lookup address information: Name or service not known"'),
            UnknownHost,
            "the host name does not resolve",
        ),
        (
            unsent("Connect", '"dns error", error: "failed to lookup address: Temporary failure in name resolution"'),
            Unavailable,
            "the host name does not resolve",
        ),
        (unsent("Connect", f'"tcp connect error", {OS_ERROR % errno.ECONNREFUSED}'), Unavailable, "connection refused"),
        (unsent("Request", OS_ERROR % errno.ECONNRESET), Unavailable, "connection reset"),
        (unsent("Connect", OS_ERROR % errno.EHOSTUNREACH), Unavailable, "network: EHOSTUNREACH"),
        (unsent("Timeout", "kind: Request, source: TimedOut"), Unavailable, "no answer in time"),
        (unsent("Connect", "error: InvalidMessage(InvalidContentType)"), Unavailable, "the server does not speak TLS"),
        (unsent("Unknown", "kind: Builder, source: BadScheme"), StoreError, "not an http or https address"),
        (
            "The operation lacked valid authentication credentials for path External AWS credential provider: Bad: x",
            NoCredentials,
            "the credentials could not be renewed",
        ),
        (
            "Generic S3 error: Unable to extract metadata from headers: ETag Header missing from response\n\nDebug",
            StoreError,
            "Generic S3 error: Unable to extract metadata from headers: ETag Header missing from response",
        ),
    ],
)
def test_what_a_server_said(text: str, kind: type[StoreError], words: str) -> None:
    error = error_of(read(text), "s3://b/k")
    assert type(error) is kind
    assert str(error) == f"s3://b/k: {words}"


def test_only_a_412_of_a_create_only_request_says_that_it_exists() -> None:
    assert type(error_of(read(served(412)), "s", Asked.CREATE)) is AlreadyExists
    assert type(error_of(read(served(409)), "s", Asked.CREATE)) is Unavailable


@pytest.mark.parametrize("status", [400, 405, 413, 501])
def test_a_refusal_of_the_form_depends_on_what_was_asked(status: int) -> None:
    kinds = {asked: type(error_of(read(served(status)), "s", asked)) for asked in Asked}
    assert (kinds.pop(Asked.CREATE), kinds.pop(Asked.COPY)) == (NoCondition, NoCopy)
    assert set(kinds.values()) == {StoreError}


def test_a_copy_whose_source_changed_may_work_later() -> None:
    assert type(error_of(read(served(412)), "s", Asked.COPY)) is Unavailable


def answered(status: int, code: str) -> boto.ClientError:
    said = {"Error": {"Code": code, "Message": "secret"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return boto.ClientError(said, "UploadPartCopy")


def unconnected(why: str) -> boto.EndpointConnectionError:
    return boto.EndpointConnectionError(endpoint_url="http://me:secret@host/", error=why)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (answered(403, "AccessDenied"), AccessDenied, "403 AccessDenied"),
        (answered(404, "NoSuchKey"), NotFound, "404 NoSuchKey"),
        (answered(404, "NoSuchBucket"), NoBucket, "404 NoSuchBucket"),
        (answered(404, "404"), NotFound, "404"),
        (answered(500, "<b>secret</b>"), Unavailable, "500"),
        (answered(503, "SlowDown"), Unavailable, "503 SlowDown"),
        (answered(501, "NotImplemented"), StoreError, "501 NotImplemented"),
        (unconnected("[Errno 111] Connection refused"), Unavailable, "connection refused"),
        (unconnected("Failed to resolve 'h' ([Errno -2] Name or service not known)"), UnknownHost, "does not resolve"),
        (unconnected("Failed to resolve 'h' ([Errno -3] Temporary failure in name"), Unavailable, "does not resolve"),
        (boto.ConnectTimeoutError(endpoint_url="http://me:secret@h"), Unavailable, "no answer in time"),
        (boto.ReadTimeoutError(endpoint_url="http://me:secret@h"), Unavailable, "no answer in time"),
        (boto.ConnectionClosedError(endpoint_url="http://me:secret@h"), Unavailable, "the connection broke"),
        (boto.SSLError(endpoint_url="http://h", error="secret"), Unavailable, "certificate is not trusted"),
        (ResponseParserError("<secret>"), Unavailable, "an answer that cannot be read"),
        (boto.ParamValidationError(report="odd"), StoreError, "odd"),
        (NoCredentials("none found", hint="Look."), NoCredentials, "none found"),
    ],
)
def test_what_botocore_said(error: Exception, kind: type[StoreError], words: str) -> None:
    with pytest.raises(StoreError) as caught, our_boto_errors("s3://b/k"):
        raise error
    assert type(caught.value) is kind
    assert str(caught.value).startswith("s3://b/k: ")
    assert str(caught.value).endswith(words)
    assert "secret" not in str(caught.value)
    reason = str(caught.value).removeprefix("s3://b/k: ")
    assert caught.value.hint == (error.hint if isinstance(error, StoreError) else OF_REASON.get(reason, kind.hint))


def test_the_source_of_the_credentials_is_named_when_they_are_refused() -> None:
    error = error_of(read(served(403, "AccessDenied")), "s3://b/k", source="instance role")
    assert str(error) == "s3://b/k: 403 AccessDenied (credentials: instance role)"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (served(403, "RequestTimeTooSkewed"), "The clocks here and there differ: set the one that is wrong."),
        (served(400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"), "Set AWS_REGION=eu-west-1."),
        (served(404, "NoSuchBucket"), NoBucket.hint),
    ],
)
def test_the_hint_says_what_to_do(text: str, hint: str) -> None:
    assert error_of(read(text), "s").hint == hint


def test_nothing_secret_is_taken_over() -> None:
    text = "Odd thing at https://me:hunter2@host/b/k?X-Amz-Signature=abcdef&X-Amz-Credential=AKIA, sorry\nmore hunter2"
    assert plain(text) == "Odd thing at https://host/b/k sorry"
    denied = served(
        403, "SignatureDoesNotMatch", "<AWSAccessKeyId>AKIA</AWSAccessKeyId><StringToSign>AWS4</StringToSign>"
    )
    assert str(error_of(read(denied), "s")) == "s: 403 SignatureDoesNotMatch"


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (errno.ENOSPC, Unavailable, "the disk is full"),
        (errno.EACCES, AccessDenied, "permission denied"),
        (errno.EROFS, AccessDenied, "the file system is read-only"),
        (errno.EEXIST, AlreadyExists, "it is there already"),
        (errno.EISDIR, StoreError, "there is a directory of that name"),
        (errno.ENAMETOOLONG, StoreError, "the name is too long for this file system"),
        (errno.EXDEV, StoreError, "Invalid cross-device link"),
    ],
)
def test_what_a_file_system_said(code: int, kind: type[StoreError], words: str) -> None:
    import os

    with pytest.raises(StoreError) as caught, our_file_errors("file:///d/k"):
        raise OSError(code, os.strerror(code))
    assert type(caught.value) is kind
    assert str(caught.value) == f"file:///d/k: {words}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (served(403, "InvalidAccessKeyId"), "correct it, or the endpoint"),
        (served(403, "SignatureDoesNotMatch"), "not the one of this access key id"),
        (served(400, "ExpiredToken"), "get new credentials"),
        (served(403, "RequestTimeTooSkewed"), "clocks here and there differ"),
        (served(403, "AccessDenied"), "osmo data check"),
        (served(403, "AuthenticationFailed"), "or the clock here is wrong"),
        (served(403, "AuthorizationPermissionMismatch"), "Storage Blob Data Contributor"),
        (served(403, "KeyBasedAuthenticationNotPermitted"), "takes no keys"),
    ],
)
def test_a_refusal_names_the_credential_and_the_way_out(text: str, words: str) -> None:
    error = error_of(read(text), "s3://b/k", source="credential 'lab' in ~/.config/osmo/config.yaml")
    assert isinstance(error, AccessDenied)
    assert str(error).endswith(" (credentials: credential 'lab' in ~/.config/osmo/config.yaml)")
    assert "\n" not in str(error)
    assert words in error.hint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (served(404, "ContainerNotFound"), "Create it"),
        (REDIRECTED, "AWS_REGION"),
        (unsent("Connect", "InvalidCertificate(UnknownIssuer)"), "AWS_CA_BUNDLE"),
    ],
)
def test_what_is_no_refusal_has_a_way_out_too(text: str, words: str) -> None:
    error = error_of(read(text), "s3://b/k")
    assert words in error.hint
    assert "\n" not in str(error)
