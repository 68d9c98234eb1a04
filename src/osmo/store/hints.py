"""What a person can do about a store's refusal, by the code that it gave."""

from typing import Final

_KEYS = "The secret access key is not the one of this access key id: check both."
_CLOCK = "The clocks here and there differ: set the one that is wrong."
_RENEW = "The session token is too old: get new credentials."
_AZURE_ROLE = "Give who asks the role Storage Blob Data Contributor for the container."

OF_CODE: Final = {
    # S3, and what speaks its protocol
    "InvalidAccessKeyId": "The access key id is unknown there: correct it, or the endpoint.",
    "InvalidAccessKey": "The access key id is unknown there: correct it, or the endpoint.",
    "SignatureDoesNotMatch": _KEYS,
    "RequestTimeTooSkewed": _CLOCK,
    "RequestExpired": _CLOCK,
    "ExpiredToken": _RENEW,
    "TokenRefreshRequired": _RENEW,
    "InvalidToken": "The session token is not valid there: get new credentials.",
    "InvalidBucketName": "Correct the bucket's name in the url.",
    "AllAccessDisabled": "The bucket is closed to everybody: ask its owner.",
    "InvalidSecurity": "The access key id is not valid there: correct it, or the endpoint.",
    "SecondLevelDomainForbidden": "Set addressing_style=virtual: this server wants the bucket in its host name.",
    "InvalidPathAccess": "Set addressing_style=virtual: this server wants the bucket in its host name.",
    # Azure
    "AuthenticationFailed": "The account key or SAS is not this account's, or too old; or the clock here is wrong.",
    "AuthorizationFailure": "The account key is not this account's, or its network rules refuse this machine.",
    "AuthorizationPermissionMismatch": _AZURE_ROLE,
    "AuthorizationServiceMismatch": "The SAS is not for blobs: make one that is.",
    "AuthorizationResourceTypeMismatch": "The SAS must cover containers and objects: make one that does.",
    "InvalidAuthenticationInfo": "The login is not valid any more: `az login`.",
    "KeyBasedAuthenticationNotPermitted": "The account takes no keys: `az login`, or a managed identity.",
    "NoAuthenticationInformation": "The container is not public: give credentials.",
    # Google
    "AuthenticationRequired": "The token is not valid any more: `gcloud auth application-default login`.",
    "invalid_grant": "The login is not valid any more: `gcloud auth application-default login`.",
}
NOT_TRUSTED: Final = "the server's certificate is not trusted"
NO_TLS: Final = "the server does not speak TLS"
REFUSED: Final = "connection refused"
OF_REASON: Final = {
    NOT_TRUSTED: "Name its certificates in AWS_CA_BUNDLE, or as `ca` of a stored credential.",
    NO_TLS: "If it is to be plain http, write its address with http://.",
    REFUSED: "Nobody listens at that address: start the server, or correct the endpoint.",
}
UNKNOWN_HOST: Final = {
    "azure": "Correct the storage account's name in the url, or the network's DNS.",
    "gs": "Correct the network's DNS.",
    "swift": "Correct the endpoint in the url, or the network's DNS.",
    "tos": "Correct the endpoint in the url, or the network's DNS.",
}
MAY_LIST: Final = {
    "azure": _AZURE_ROLE,
    "gs": "The account needs the role Storage Object User on the bucket.",
}
MAY_LIST_S3: Final = "Checkpoints need s3:ListBucket, s3:GetObject and s3:PutObject there."
# What a request needs, by its name in `Asked`; of the other clouds it is the one role.
PERMISSION: Final = {
    "LIST": "s3:ListBucket",
    "READ": "s3:GetObject",
    "WRITE": "s3:PutObject",
    "CREATE": "s3:PutObject",
    "COPY": "s3:GetObject and s3:PutObject",
    "DELETE": "s3:DeleteObject",
}


def lacking(scheme: str, asked: str, *, s3: bool) -> str:
    """What those who were refused may lack; empty if that is not known. s3: the store speaks S3."""
    if not s3:
        return MAY_LIST.get(scheme, "")
    needed = PERMISSION.get(asked)
    return f"That needs {needed} there: ask the bucket's owner, or give other credentials." if needed else ""
