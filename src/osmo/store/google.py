"""Google Cloud Storage with Google's own credentials. (With HMAC keys it is reached like S3: see `reach`.)

A stored service account, application default credentials (a file that `gcloud auth application-default login` or
GOOGLE_APPLICATION_CREDENTIALS names), or the account of the machine (Compute Engine, workload identity of GKE): obstore
gets and renews the tokens.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from obstore.store import GCSStore

from osmo.errors import NoCredentials, StoreError
from osmo.store.clients import Clients
from osmo.store.profiles import Profile, short

if TYPE_CHECKING:
    from obstore.store import ClientConfig, GCSConfig, ObjectStore, RetryConfig

_PRODUCT = Path("/sys/class/dmi/id/product_name")
_HINT = (
    "Run `gcloud auth application-default login`, set GOOGLE_APPLICATION_CREDENTIALS, or keep HMAC keys: "
    "`osmo credential set NAME --type DATA --payload endpoint={} access_key_id=ID --payload-file access_key=FILE`."
)
_KINDS = ("service_account", "authorized_user")  # obstore knows no others


class GoogleCredentials:
    """Which of the credentials are taken: `source` says so, `config` is how obstore wants to hear it."""

    def __init__(self, profile: Profile, environ: Mapping[str, str]) -> None:
        self._profile, self._environ = profile, environ
        self.source = "none found"
        self.config: GCSConfig = {}

    def find(self) -> None:
        """Look for them, unless they are found. `NoCredentials` if there are none."""
        if not self.config:
            self.config, self.source = self._look()

    def forget(self) -> None:
        self.config = {}

    def failure(self) -> StoreError | None:
        return None

    def _look(self) -> "tuple[GCSConfig, str]":
        environ, kept = self._environ, self._profile["access_key"]
        if self._profile["anonymous"]:
            return {"skip_signature": True}, "anonymous"
        if kept:
            _check(kept, self._profile.source)
            return {"service_account_key": kept}, self._profile.source
        for variable in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_PATH"):
            if written := environ.get(variable):
                return self._of_file(Path(written), f"{variable} ({written})")
        login = Path(environ.get("CLOUDSDK_CONFIG") or Path(environ.get("HOME", "/nonexistent"), ".config/gcloud"))
        login /= "application_default_credentials.json"
        if login.exists():
            return self._of_file(login, f"gcloud's login in {short(login, environ)}")
        if on_google(environ):
            return {"skip_signature": False}, "the machine's service account"
        raise NoCredentials("no Google credentials found", hint=_HINT.format(self._profile.endpoint or "gs://BUCKET"))

    def _of_file(self, path: Path, source: str) -> "tuple[GCSConfig, str]":
        try:
            _check(path.read_text(encoding="utf-8"), source)
        except OSError as error:
            raise NoCredentials(f"{source} cannot be read: {error.strerror}", hint="Correct the path.") from error
        return {"application_credentials": str(path)}, source


def _check(text: str, source: str) -> None:
    try:
        kind = json.loads(text)["type"]
    except (ValueError, KeyError, TypeError):
        raise NoCredentials(f"{source} holds no Google key", hint="It is the JSON that Google made, whole.") from None
    if kind not in _KINDS:
        words = f"{source} is of a kind that is not known here ({str(kind)[:32]!r})"
        raise NoCredentials(words, hint="Use a service account's key, a login of gcloud, or HMAC keys.")


def on_google(environ: Mapping[str, str], product: Path = _PRODUCT) -> bool:
    """Whether this machine is Google's, so that it has an account: without asking anybody."""
    if environ.get("GCE_METADATA_HOST") or environ.get("GCE_METADATA_ROOT"):
        return True
    try:
        return product.read_text().startswith("Google")
    except OSError:
        return False


class GoogleClients(Clients):
    """Clients that speak Google's own dialect of the XML API."""

    credentials: GoogleCredentials

    def _client(self, options: "ClientConfig", retries: "RetryConfig") -> "ObjectStore":
        # A variable of the process would else win over what was found.
        config: GCSConfig = {"base_url": self._place.endpoint, **self.credentials.config}
        return GCSStore(
            self._bucket, prefix=self._prefix or None, config=config, client_options=options, retry_config=retries
        )
