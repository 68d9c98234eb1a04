"""AWS's credential chain, as obstore wants it, and where a credential came from in words for people.

A pair of keys in the environment is used as it is; everything else (profiles, credential_process, SSO, web identity,
container, instance) is botocore's work.
"""

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from osmo.clock import Clock, SystemClock
from osmo.errors import AccessDenied, NoCredentials, StoreError, Unavailable
from osmo.store import aws
from osmo.store.options import options_of
from osmo.store.profiles import NONE, profile_of, short
from osmo.store.url import StoreUrl

if TYPE_CHECKING:
    from obstore.store import S3Credential

# botocore renews what expires 10 minutes before its end at the latest, so a copy is good for this long.
_LIFE = timedelta(minutes=9)

# Whom botocore asks for the credentials of roles and logins.
_ASKED = ("sts", "sso", "sso-oidc")

_HINT = (
    "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile of ~/.aws in AWS_PROFILE "
    "(`aws configure` writes one), or keep some with `osmo credential set`."
)


class Finding(Protocol):
    """What every cloud's credentials have in common."""

    source: str

    def find(self) -> None:
        """Look for them, unless they are found already. `NoCredentials` if there are none."""

    def forget(self) -> None:
        """Look anew next time."""

    def failure(self) -> StoreError | None:
        """Why the last request for obstore found nothing, once."""


class Credentials:
    """Finds credentials, and hands them to obstore, which asks again when they are about to expire.

    `source` says where they came from, never what they are. Safe to use from many threads.

    Which profile and which files to read comes from `environ`. For the rest (web identity, container, SSO's and the
    instance's addresses) botocore reads the process's own environment: where it matters the two must be the same, and
    in osmo's processes they are.
    """

    def __init__(self, environ: Mapping[str, str], clock: Clock | None = None, *, url: StoreUrl | None = None) -> None:
        """url: what they are for. What is kept for it wins over the environment; only `s3` has AWS's chain."""
        self._environ, self._url = environ, url
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._frozen: Callable[[], S3Credential] | None = None
        self._failure: StoreError | None = None
        self.source = "none found"

    def find(self) -> None:
        """Look for credentials, unless they are found already. `NoCredentials` if there are none."""
        with self._lock:
            if self._frozen is None:
                self._frozen = self._look()

    def forget(self) -> None:
        """Look anew next time: files may have been corrected, a login renewed."""
        with self._lock:
            self._frozen = None

    def failure(self) -> StoreError | None:
        """Why the last request for obstore found nothing, once: obstore only passes on a text."""
        failure, self._failure = self._failure, None
        return failure

    def __call__(self) -> "S3Credential":
        try:
            self.find()
            with self._lock:
                frozen = self._frozen
            if frozen is None:  # forgotten by another thread just now; its next request finds them
                raise Unavailable("the credentials are being read again")
            return frozen()
        except StoreError as error:
            self._failure = error
            raise

    def _look(self) -> "Callable[[], S3Credential]":
        kept = profile_of(self._url, self._environ) if self._url else NONE
        if kept.keys:
            self.source = kept.source
            found = _credential(*kept.keys, kept["session_token"])
            return lambda: found
        if self._url is not None and options_of(kept, self._environ).anonymous:
            self.source = "anonymous"
            return lambda: _credential("anonymous", "anonymous", None)
        if _in_environment(self._environ):
            self.source = "environment (AWS_ACCESS_KEY_ID)"
            static = _credential(
                self._environ["AWS_ACCESS_KEY_ID"],
                self._environ["AWS_SECRET_ACCESS_KEY"],
                self._environ.get("AWS_SESSION_TOKEN"),
            )
            return lambda: static
        if self._url is not None and self._url.scheme != "s3":
            self.source = "none found"
            words = f"osmo credential set NAME --type DATA --payload endpoint={self._url.profile} access_key_id=ID"
            raise NoCredentials(
                f"no credentials found for {self._url.profile}", hint=f"Run `{words} --payload-file access_key=FILE`."
            )
        return self._ask_botocore()

    def _ask_botocore(self) -> "Callable[[], S3Credential]":
        self.source = "none found"
        profile = aws.profile_name(self._environ)
        try:
            found = _session(self._environ).get_credentials()
        except Exception as error:  # noqa: BLE001  # botocore runs people's own programs and modules here
            _raise_ours(error, profile)
        if found is None:
            raise NoCredentials(_half(self._environ) or "no AWS credentials found", hint=_HINT)
        self.source = in_words(found.method, profile, self._environ)
        expires = hasattr(found, "refresh_needed")

        def frozen() -> "S3Credential":
            try:
                pair = found.get_frozen_credentials()
            except Exception as error:  # noqa: BLE001
                _raise_ours(error, profile)
            credential = _credential(pair.access_key, pair.secret_key, pair.token)
            if expires:
                credential["expires_at"] = self._clock.now() + _LIFE
            return credential

        return frozen


def prepare(environ: Mapping[str, str], url: StoreUrl | None = None) -> None:
    """Import and read now all that finding credentials may need later: the package may be upgraded beneath a run that
    lasts for days. Asks nobody."""
    if _in_environment(environ) or (url and (url.scheme != "s3" or profile_of(url, environ).keys)):
        return
    session = isolated_session()
    nobody = dict.fromkeys(("aws_access_key_id", "aws_secret_access_key"), "none")
    for service in _ASKED:
        with suppress(Exception):  # an environment that botocore cannot read is told when it is needed
            session.create_client(service, region_name="us-east-1", **nobody).close()


def isolated_session() -> Any:
    """A session of botocore's that reads none of the user's files."""
    import botocore.session

    session = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
    session.set_config_variable("config_file", os.devnull)
    session.set_config_variable("credentials_file", os.devnull)
    session.register_component("data_loader", _loader())
    return session


@cache
def _loader() -> Any:
    """botocore's descriptions of services: what was read once is not read again."""
    import botocore.loaders

    return botocore.loaders.create_loader()


def in_words(method: str, profile: str, environ: Mapping[str, str]) -> str:
    """botocore's name for a way to find credentials, for people."""
    named = f"profile {profile or 'default'!r}"
    words = {
        "shared-credentials-file": f"{named} in {short(aws.credentials_file(environ), environ)}",
        "config-file": f"{named} in {short(aws.config_file(environ), environ)}",
        "custom-process": f"credential_process of {named}",
        "sso": f"SSO login of {named}",
        "login": f"console login of {named}",
        "assume-role": f"role of {named}",
        "assume-role-with-web-identity": "web identity token",
        "container-role": "container role",
        "iam-role": "instance role",
        "env": "environment (AWS_ACCESS_KEY_ID)",
    }
    return words.get(method, f"AWS's chain ({method})")


def _in_environment(environ: Mapping[str, str]) -> bool:
    """A whole pair of keys. It wins over AWS_PROFILE, as in every AWS tool."""
    return bool(environ.get("AWS_ACCESS_KEY_ID") and environ.get("AWS_SECRET_ACCESS_KEY"))


def _credential(key: str, secret: str, token: str | None) -> "S3Credential":
    return {"access_key_id": key, "secret_access_key": secret, "token": token or None, "expires_at": None}


def _session(environ: Mapping[str, str]) -> Any:
    import botocore.session

    session = botocore.session.Session(profile=aws.profile_name(environ) or None)
    session.register_component("data_loader", _loader())
    session.set_config_variable("config_file", str(aws.config_file(environ)))
    session.set_config_variable("credentials_file", str(aws.credentials_file(environ)))
    chain = session.get_component("credential_provider")
    chain.remove("env")  # a whole pair was looked for already, in `environ`
    if environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        chain.remove("iam-role")
    return session


def _half(environ: Mapping[str, str]) -> str:
    """What is missing, if one of the two is there."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    given = [name for name in names if environ.get(name)]
    missing = [name for name in names if not environ.get(name)]
    return f"{given[0]} is set, {missing[0]} is not" if len(given) == 1 else ""


def _raise_ours(error: Exception, profile: str) -> NoReturn:
    """What botocore says when a credential is named but cannot be had. A helper program's own words are not shown:
    they may hold what it was to keep."""
    from botocore import exceptions as boto

    named = f"profile {profile or 'default'!r}"
    if isinstance(error, StoreError):
        raise error
    if isinstance(error, boto.ProfileNotFound):
        raise NoCredentials(f"there is no {named} in ~/.aws", hint="Correct AWS_PROFILE.") from error
    if isinstance(error, boto.SSOError | boto.TokenRetrievalError | boto.UnauthorizedSSOTokenError):
        login = f"aws sso login --profile {profile}" if profile else "aws sso login"
        raise NoCredentials(f"the SSO login of {named} is not valid any more", hint=f"Run `{login}`.") from error
    if isinstance(error, boto.PartialCredentialsError):
        raise NoCredentials(f"{named} has only half of a pair of keys", hint=_HINT) from error
    if isinstance(error, boto.ClientError):
        code = error.response.get("Error", {}).get("Code", "refused")
        raise AccessDenied(f"the role of {named} cannot be taken: {code}") from error
    if isinstance(error, boto.HTTPClientError | boto.MetadataRetrievalError):
        raise Unavailable("the service that gives out AWS credentials does not answer") from error
    if isinstance(error, boto.CredentialRetrievalError):
        words = f"{named} has no credentials to give ({error.kwargs.get('provider', 'its helper')} failed)"
        raise NoCredentials(words, hint="Try its credential_process by hand.") from error
    raise NoCredentials(f"the AWS credentials of {named} cannot be read ({type(error).__name__})") from error
