"""What a bucket's owner asks of every request: encryption, who pays, whether it is signed at all."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from osmo.errors import StoreError
from osmo.store.profiles import TRUE, Profile

_SSE: Final = {"aes256": "AES256", "sse-s3": "AES256", "aws:kms": "aws:kms", "kms": "aws:kms", "sse-kms": "aws:kms",
               "aws:kms:dsse": "aws:kms:dsse", "sse-c": "sse-c"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Options:
    """encryption: empty, `AES256`, `aws:kms`, `aws:kms:dsse` or `sse-c`. customer_key: of `sse-c`, base64.

    requester_pays: who asks pays. anonymous: nothing is signed. proxy: empty for the environment's own.
    """

    encryption: str = ""
    kms_key_id: str = ""
    customer_key: str = field(default="", repr=False)
    requester_pays: bool = False
    anonymous: bool = False


PLAIN: Final = Options()


def options_of(profile: Profile, environ: Mapping[str, str]) -> Options:
    """From a stored credential, else from the variables that other tools know. `StoreError` if they make no sense."""

    def said(name: str, *variables: str) -> str:
        return profile[name] or next((environ[each] for each in variables if environ.get(each)), "")

    customer_key = said("sse_customer_key", "AWS_SSE_CUSTOMER_KEY_BASE64")
    kms_key_id = said("sse_kms_key_id", "AWS_SSE_KMS_KEY_ID")
    written = said("sse", "AWS_SERVER_SIDE_ENCRYPTION") or ("sse-c" if customer_key else "kms" if kms_key_id else "")
    encryption = _SSE.get(written.lower(), "")
    if written and not encryption:
        raise StoreError(f"{written!r} is no server-side encryption", hint=f"Known: {', '.join(_SSE)}.")
    if encryption == "sse-c":
        _check(customer_key)
    return Options(
        encryption,
        kms_key_id if encryption.startswith("aws:kms") else "",
        customer_key if encryption == "sse-c" else "",
        said("request_payer", "AWS_REQUEST_PAYER").lower() in TRUE | {"requester"},
        said("anonymous", "AWS_SKIP_SIGNATURE").lower() in TRUE,
    )


def _check(customer_key: str) -> None:
    try:
        length = len(base64.b64decode(customer_key, validate=True))
    except binascii.Error:
        length = 0
    if length != 32:
        words = "encryption with a key of your own (sse-c) needs sse_customer_key: 32 bytes, in base64"
        raise StoreError(words, hint="`openssl rand -base64 32` makes one. Who loses it loses the data.")


def headers(options: Options, operation: str) -> dict[str, str]:
    """The headers that a request of S3 needs besides, by botocore's name of the operation."""
    found: dict[str, str] = {}
    if options.requester_pays:
        found["x-amz-request-payer"] = "requester"
    if options.encryption == "sse-c":
        if operation in (
            "CreateMultipartUpload",
            "UploadPart",
            "UploadPartCopy",
            "CopyObject",
            "PutObject",
            "HeadObject",
            "GetObject",
        ):
            found |= _customer("x-amz-server-side-encryption-customer", options.customer_key)
        if operation in ("UploadPartCopy", "CopyObject"):
            found |= _customer("x-amz-copy-source-server-side-encryption-customer", options.customer_key)
    elif options.encryption and operation in ("CreateMultipartUpload", "CopyObject", "PutObject"):
        found["x-amz-server-side-encryption"] = options.encryption
        if options.kms_key_id:
            found["x-amz-server-side-encryption-aws-kms-key-id"] = options.kms_key_id
    return found


def _customer(prefix: str, key: str) -> dict[str, str]:
    import hashlib

    digest = hashlib.md5(base64.b64decode(key), usedforsecurity=False).digest()  # S3's own check of the key
    return {
        f"{prefix}-algorithm": "AES256",
        f"{prefix}-key": key,
        f"{prefix}-key-MD5": base64.b64encode(digest).decode(),
    }
