"""What a server answered, in our words: the one place where foreign errors become ours.

obstore's errors are pages of debug text. A person needs the status, S3's error code and the host; none of what is
taken over here can hold a credential or a signature.
"""

import contextlib
import errno
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from obstore.exceptions import BaseError, InvalidPathError

from osmo.errors import (
    AccessDenied,
    AlreadyExists,
    NoBucket,
    NoCondition,
    NoCopy,
    NoCredentials,
    NoRanges,
    NotFound,
    StoreError,
    Unavailable,
    UnknownHost,
    WrongCredentials,
)
from osmo.store.hints import NO_TLS, NOT_TRUSTED, OF_CODE, OF_REASON, REFUSED

_STATUS = re.compile(r"(?:non-2xx status code: |status: |\(code: )(\d{3})\b")
_CODE = re.compile(r"<Code>\s*([A-Za-z0-9.]{1,64})\s*</Code>")
_REGION = re.compile(r"<Region>\s*([a-z0-9-]{2,32})\s*</Region>|expecting '([a-z0-9-]{2,32})'")
_GRANT = re.compile(r'"error"\s*:\s*"([a-z_]{1,40})"')
_OS_ERROR = re.compile(r"Os \{\s*code: (\d+)")
_WORD = re.compile(r"[A-Za-z.]{1,64}")
_NO_NAME = "the host name does not resolve"
_ADDRESS = re.compile(r"(https?://)(?:[^\s/@]*@)?([^\s?,)]*)\S*")

_BUSY = {"SlowDown", "SlowDownRead", "SlowDownWrite", "Throttling", "RequestTimeout", "InternalError", "NoSuchUpload",
         "ServiceUnavailable", "OperationAborted", "ConditionalRequestConflict"}  # fmt: skip
_DENIED = {"ExpiredToken", "InvalidToken", "TokenRefreshRequired", "InvalidAccessKeyId", "SignatureDoesNotMatch",
           "RequestTimeTooSkewed", "RequestExpired", "AccessDenied", "InvalidTokenId", "AuthFailure",
           "InvalidAccessKey"}  # fmt: skip
_WRONG = _DENIED - {"AccessDenied"} | {"AuthenticationFailed", "AuthorizationFailure", "InvalidAuthenticationInfo"}
_NO_BUCKET = {"NoSuchBucket", "InvalidBucketName", "ContainerNotFound"}
_OTHER_REGION = {"AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect", "IllegalLocationConstraint"}

_FOREIGN = "Another program wrote it. Remove it, or use another folder of the bucket."


@dataclass(frozen=True, slots=True)
class Answer:
    """What went wrong: `status` 0 if there was no answer; `reason` is one short line."""

    status: int = 0
    code: str = ""
    region: str = ""
    unknown_host: bool = False
    no_answer: bool = False
    no_credentials: bool = False
    reason: str = ""


def read(text: str) -> Answer:
    """Read the text of one of obstore's errors."""
    first = text.partition("\n\nDebug source:")[0]
    code = _found(_CODE, first)
    region = _found(_REGION, first)
    status = int(_found(_STATUS, text) or 0)
    if "External AWS credential provider" in first:
        return Answer(no_credentials=True, reason="the credentials could not be renewed")
    if "token request" in first and status in (400, 401, 403):
        reason = f"the login was refused ({' '.join(filter(None, (str(status), _found(_GRANT, first))))})"
        return Answer(status, _found(_GRANT, first), no_credentials=True, reason=reason)
    if "BareRedirect" in text or "redirect without LOCATION" in first:
        return Answer(301, "PermanentRedirect", region, reason="the bucket is in another region")
    if status or code:
        return Answer(status, code, region, reason=" ".join(filter(None, (str(status or ""), code))))
    if "dns error" in text:
        # "Try again" is the resolver that is out of reach, not a name that does not exist.
        passing = "Temporary failure" in text or "Try again" in text
        return Answer(unknown_host=not passing, no_answer=True, reason=_NO_NAME)
    if "HTTP error" in first or "HttpError" in text:
        return Answer(no_answer="BadScheme" not in text, reason=_network_reason(text))
    return Answer(reason=plain(first))


def plain(text: str) -> str:
    """The first line of a foreign text, without what an address may carry: user, password, signature."""
    return _ADDRESS.sub(r"\1\2", text.strip().partition("\n")[0])[:200]


def _found(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return next((group for group in match.groups() if group), "") if match else ""


def _network_reason(text: str) -> str:
    number = _found(_OS_ERROR, text)
    if number:
        name = errno.errorcode.get(int(number), number)
        return {"ECONNREFUSED": REFUSED, "ECONNRESET": "connection reset"}.get(name, f"network: {name}")
    for sign, words in (
        ("kind: Timeout", "no answer in time"),
        ("TimedOut", "no answer in time"),
        ("InvalidContentType", NO_TLS),
        ("InvalidCertificate", NOT_TRUSTED),
        ("certificate", NOT_TRUSTED),
        ("UnknownIssuer", NOT_TRUSTED),
        ("BadScheme", "not an http or https address"),
        ("IncompleteMessage", "the server closed the connection"),
        ("kind: Connect", "no connection"),
    ):
        if sign in text:
            return words
    return "the connection broke"


class Asked(Enum):
    """What a request was: the same refusal means one thing of this kind, and another of that."""

    PLAIN = "anything else"
    LIST = "a listing"
    READ = "a look at an object, or its bytes"
    WRITE = "a write"
    CREATE = "a write that must not overwrite"
    COPY = "a copy within the store"
    DELETE = "a removal"


# Refusals of a request's form, not of who asks or of what is there; AWS says 400 of a source above 5 GiB.
_NOT_THIS_WAY = {400, 405, 413, 501}
_REFUSED: dict[Asked, type[StoreError]] = {Asked.CREATE: NoCondition, Asked.COPY: NoCopy}


def error_of(answer: Answer, subject: str, asked: Asked = Asked.PLAIN, *, source: str = "") -> StoreError:
    """Our error for an answer. `subject` begins the message; `source`: where the credentials came from."""
    said = f"{subject}: {answer.reason}"
    status, code = answer.status, answer.code
    if answer.unknown_host:
        return UnknownHost(said)
    if answer.no_credentials:
        return NoCredentials(said, hint=OF_CODE.get(code, ""))
    if code in _OTHER_REGION or status == 301:
        kept = " (of a stored credential: its region)" if source.startswith("credential ") else ""
        where = f"AWS_REGION={answer.region}" if answer.region else "AWS_REGION to the bucket's region"
        return NoBucket(f"{subject}: {answer.reason}; no such bucket in this region", hint=f"Set {where}{kept}.")
    if code in _BUSY or answer.no_answer or status in (408, 409, 429) or (status >= 500 and status != 501):
        # 409 as well: two writers met, and which of them is there now only a read can tell.
        return Unavailable(said, hint=OF_REASON.get(answer.reason, ""))
    if code in _NO_BUCKET:
        return NoBucket(said, hint=OF_CODE.get(code, ""))
    if code in _DENIED or status in (401, 403):
        by = f" (credentials: {source})" if source else ""
        kind = WrongCredentials if code in _WRONG or status == 401 else AccessDenied
        return kind(f"{said}{by}", hint=OF_CODE.get(code, ""))
    if status == 412:
        # A copy names what it copies: that is another object by now.
        kinds = {Asked.CREATE: AlreadyExists, Asked.COPY: Unavailable}
        return kinds.get(asked, StoreError)(said)
    if status in _NOT_THIS_WAY:
        return _REFUSED.get(asked, StoreError)(said)
    return NotFound(said) if status == 404 else StoreError(said, hint=OF_REASON.get(answer.reason, ""))


@contextlib.contextmanager
def our_errors(subject: str, asked: Asked = Asked.PLAIN, taken: int = 412, *, source: str = "") -> Iterator[None]:
    """Every error of obstore's that leaves the block is one of ours. taken: what a create-only write is answered if the
    name is taken."""
    try:
        yield
    except InvalidPathError as error:
        words = plain(str(error)).removeprefix("Encountered object with invalid path: ")
        raise StoreError(f"{subject}: there is a key that cannot be listed: {words}", hint=_FOREIGN) from error
    except (BaseError, OSError, ValueError) as error:
        if "NotPartial" in str(error):
            raise NoRanges(f"{subject}: the server gives out no parts of objects") from error
        answer = read(str(error))
        if asked is Asked.CREATE and answer.status == taken:
            raise AlreadyExists(f"{subject}: {answer.reason}") from error
        raise error_of(answer, subject, asked, source=source) from error


@contextlib.contextmanager
def our_boto_errors(subject: str, asked: Asked = Asked.PLAIN, *, source: str = "") -> Iterator[None]:
    """The same for botocore. What is one of ours already gets the subject."""
    try:
        yield
    except StoreError as error:
        raise type(error)(f"{subject}: {error}", hint=error.hint) from error
    except Exception as error:
        raise error_of(read_boto(error), subject, asked, source=source) from error


def read_boto(error: Exception) -> Answer:
    """Read one of botocore's errors."""
    from botocore import exceptions as boto
    from botocore.parsers import ResponseParserError

    if isinstance(error, boto.ClientError):
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        said = error.response.get("Error", {})
        code = said.get("Code", "") if _WORD.fullmatch(said.get("Code", "")) else ""
        return Answer(status, code, said.get("Region", ""), reason=" ".join(filter(None, (str(status or ""), code))))
    why = str(error.kwargs.get("error", "")) if isinstance(error, boto.EndpointConnectionError) else ""
    if "resolve" in why:
        passing = "Temporary failure" in why or "Try again" in why
        return Answer(unknown_host=not passing, no_answer=True, reason=_NO_NAME)
    for kind, words in (
        (boto.ConnectTimeoutError, "no answer in time"),
        (boto.ReadTimeoutError, "no answer in time"),
        (boto.SSLError, NOT_TRUSTED),
        (boto.EndpointConnectionError, REFUSED if "refused" in why else "no connection"),
        (boto.HTTPClientError, "the connection broke"),
        (ResponseParserError, "an answer that cannot be read"),
    ):
        if isinstance(error, kind):
            return Answer(no_answer=True, reason=words)
    return Answer(reason=plain(" ".join(str(error).split())))


_FILE_ERRORS: dict[int, tuple[type[StoreError], str]] = {
    errno.ENOENT: (NotFound, "there is no such file"),
    errno.EEXIST: (AlreadyExists, "it is there already"),
    errno.EACCES: (AccessDenied, "permission denied"),
    errno.EPERM: (AccessDenied, "not permitted"),
    errno.EROFS: (AccessDenied, "the file system is read-only"),
    errno.ENOSPC: (Unavailable, "the disk is full"),
    errno.EDQUOT: (Unavailable, "the disk quota is used up"),
    errno.ESTALE: (Unavailable, "the network file system lost it (stale handle)"),
    errno.EIO: (Unavailable, "the disk or its server does not answer (I/O error)"),
    errno.ETIMEDOUT: (Unavailable, "the file server does not answer"),
    errno.EMFILE: (Unavailable, "too many open files"),
    errno.ENFILE: (Unavailable, "too many open files on this machine"),
    errno.EISDIR: (StoreError, "there is a directory of that name"),
    errno.ENOTDIR: (StoreError, "part of its path is a file, not a directory"),
    errno.ENAMETOOLONG: (StoreError, "the name is too long for this file system"),
    errno.ELOOP: (StoreError, "it is a symbolic link"),
}


@contextlib.contextmanager
def our_file_errors(subject: str) -> Iterator[None]:
    """Every OSError of a local file that leaves the block is one of ours."""
    try:
        yield
    except OSError as error:
        kind, words = _FILE_ERRORS.get(error.errno or 0, (StoreError, error.strerror or "failed"))
        raise kind(f"{subject}: {words}") from error
