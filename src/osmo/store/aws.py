"""Where an S3 bucket is reached: endpoint and region, from the environment and ~/.aws/config.

Read here rather than by botocore, which costs 165 ms and 28 MiB and is needed for few kinds of credentials only.
"""

import configparser
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPErrorProcessor, Request, build_opener

from osmo.errors import StoreError
from osmo.store.options import PLAIN, Options
from osmo.store.url import without_secrets

_TRUE = {"1", "true", "yes", "on"}
AWS = "https://s3.amazonaws.com"
_REGION = re.compile(r"[A-Za-z0-9-]+")


@dataclass(frozen=True, slots=True)
class Place:
    """How a bucket is reached.

    endpoint: the address that requests go to; the bucket's name is in its host for AWS itself, and where `virtual`.
    custom: it is not the cloud's own. ca: a file of certificates to trust, or empty.
    """

    endpoint: str
    region: str
    custom: bool
    ca: str = ""
    virtual: bool = False
    options: Options = PLAIN

    @property
    def shown(self) -> str:
        """The endpoint for people: no user, no password, no query."""
        return without_secrets(self.endpoint)

    @property
    def virtual_hosted(self) -> bool:
        return self.virtual or (not self.custom and not urlsplit(self.endpoint).netloc.startswith("s3."))

    def with_bucket(self, bucket: str) -> "Place":
        """The same with the bucket's name in the host."""
        return replace(self, endpoint=self.endpoint.replace("://", f"://{bucket}.", 1), virtual=True)

    @property
    def equal_parts(self) -> bool:
        """Whether all parts of a multipart upload must have the same length: so at Cloudflare's R2."""
        return (urlsplit(self.endpoint).hostname or "").endswith(".r2.cloudflarestorage.com")

    def without(self, bucket: str) -> str:
        """The endpoint without this bucket's name, for a client that puts it there itself."""
        return self.endpoint.replace(f"//{bucket}.", "//", 1) if self.virtual_hosted else self.endpoint


def place_of(bucket: str, environ: Mapping[str, str], *, endpoint: str = "", region: str = "") -> Place:
    """Endpoint and region of a bucket. Asks AWS for the region only if nothing names it and the endpoint is AWS's.

    endpoint, region: what is known better than the environment knows it, or empty.
    """
    profile = read_profile(environ)
    region = region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or profile.get("region", "")
    if region and not _REGION.fullmatch(region):
        raise StoreError(f"{region!r} is not a region's name", hint="Correct AWS_REGION, or the profile's region.")
    endpoint = endpoint or _custom_endpoint(environ, profile)
    ca = environ.get("AWS_CA_BUNDLE") or profile.get("ca_bundle", "")
    if endpoint:
        return Place(checked_endpoint(endpoint), region or "us-east-1", custom=True, ca=ca)
    region = region or bucket_region(bucket) or "us-east-1"
    return Place(aws_endpoint(bucket, region), region, custom=False, ca=ca)


def aws_endpoint(bucket: str, region: str) -> str:
    """AWS's address of a bucket: the bucket in the host name, except where a dot would break the certificate."""
    host = f"s3.{region}.amazonaws.com" + (".cn" if region.startswith("cn-") else "")
    return f"https://{host}" if "." in bucket else f"https://{bucket}.{host}"


def bucket_region(bucket: str, *, address: str = AWS, timeout_s: float = 5.0) -> str:
    """The region that AWS says a bucket is in, asked without credentials; empty if it does not say."""
    request = Request(f"{address}/{quote(bucket)}", method="HEAD")  # noqa: S310  # ours: https
    try:
        with build_opener(NoRedirect).open(request, timeout=timeout_s) as response:
            return response.headers.get("x-amz-bucket-region") or ""
    except HTTPError as error:
        return error.headers.get("x-amz-bucket-region") or ""
    except (OSError, ValueError):
        return ""


class NoRedirect(HTTPErrorProcessor):
    """Takes a redirect or a refusal as the answer: the header is on it."""

    def http_response(self, _request, response):  # type: ignore[no-untyped-def]  # urllib's own signature has no types
        return response

    https_response = http_response


def profile_name(environ: Mapping[str, str]) -> str:
    """The profile that is asked for, or empty."""
    return environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE") or ""


def config_file(environ: Mapping[str, str]) -> Path:
    return _file(environ, "AWS_CONFIG_FILE", "config")


def credentials_file(environ: Mapping[str, str]) -> Path:
    return _file(environ, "AWS_SHARED_CREDENTIALS_FILE", "credentials")


def _file(environ: Mapping[str, str], variable: str, name: str) -> Path:
    home = environ.get("HOME", "")
    written = environ.get(variable, "")
    if written.startswith("~/") and home:
        return Path(home, written[2:])
    return Path(written) if written else Path(home or "/nonexistent", ".aws", name)


def read_profile(environ: Mapping[str, str]) -> dict[str, str]:
    """The plain settings of the chosen profile in ~/.aws/config; its services' S3 endpoint as `s3_endpoint_url`.

    A file that is missing or broken has no settings: what the credentials say about it says it better.
    """
    config = configparser.RawConfigParser(default_section="", strict=False)
    try:
        config.read_string(config_file(environ).read_text(encoding="utf-8"))
    except (OSError, ValueError, configparser.Error):
        return {}
    name = profile_name(environ) or "default"
    section = next((each for each in (f"profile {name}", name) if config.has_section(each)), None)
    if section is None:
        return {}
    settings = dict(config[section])
    services = f"services {settings.get('services', '')}"
    if config.has_section(services):
        nested = _nested(config[services].get("s3", ""))
        settings["s3_endpoint_url"] = nested.get("endpoint_url", "")
    return settings


def _nested(text: str) -> dict[str, str]:
    """The indented `name = value` lines beneath a setting."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _custom_endpoint(environ: Mapping[str, str], profile: Mapping[str, str]) -> str:
    """AWS's own order: the variables, S3's before the general one; then the profile's, likewise."""
    if environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() in _TRUE:
        return ""
    written = (
        environ.get("AWS_ENDPOINT_URL_S3"),
        environ.get("AWS_ENDPOINT_URL"),
        profile.get("s3_endpoint_url"),
        profile.get("endpoint_url"),
    )
    return next((each.strip() for each in written if each and each.strip()), "")


def checked_endpoint(endpoint: str) -> str:
    """The address of a server without a slash at its end. `StoreError` if it is none: obstore panics on one without a
    scheme."""
    problem = StoreError(
        f"the endpoint {without_secrets(endpoint)!r} is not an http or https address",
        hint="Write AWS_ENDPOINT_URL_S3, endpoint_url or override_url as https://host[:port].",
    )
    try:
        parts = urlsplit(endpoint)
        parts.port  # noqa: B018  # says whether it is a number
    except ValueError:
        raise problem from None
    if parts.scheme not in ("http", "https") or not parts.hostname or any(c.isspace() for c in endpoint):
        raise problem
    return endpoint.rstrip("/")
