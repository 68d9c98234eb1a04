"""A store's url, taken apart."""

import re
from dataclasses import dataclass
from typing import Final

from osmo.errors import StoreError
from osmo.store.keys import check_key

FORMS: Final = {
    "s3": "s3://bucket[/path]",
    "gs": "gs://bucket[/path]",
    "azure": "azure://account/container[/path]",
    "swift": "swift://endpoint/AUTH_namespace/container[/path]",
    "tos": "tos://endpoint/bucket[/path]",
    "file": "file:///path",
}
SCHEMES: Final = tuple(FORMS)
_BUCKET = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._-]*")  # S3's rules are narrower; other servers' are not
_ACCOUNT = re.compile(r"[a-z0-9]+")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?")
_NAMESPACE = re.compile(r"[A-Za-z0-9._:%-]+")


@dataclass(frozen=True, slots=True)
class StoreUrl:
    """`s3://bucket/path`, `file:///path` and the like (`FORMS`).

    text: as written, without trailing slashes. bucket: or container; empty for `file`. path: without slashes at its
    ends and literally what the keys begin with; for `file` an absolute path. host: what stands before the bucket: the
    account of `azure`, the endpoint of `swift` and `tos`. namespace: of `swift`.
    """

    scheme: str
    bucket: str
    path: str
    text: str
    host: str = ""
    namespace: str = ""

    @property
    def root(self) -> str:
        """The url of the bucket."""
        return f"{self.scheme}://{'/'.join(filter(None, (self.host, self.namespace, self.bucket)))}"

    @property
    def profile(self) -> str:
        """What OSMO files credentials for this url under: of an account where there is one, else of a bucket."""
        if self.scheme == "azure":
            return f"azure://{self.host}"
        return f"swift://{self.host}/{self.namespace}" if self.scheme == "swift" else self.root


def parse(text: str) -> StoreUrl:
    """Take a url apart. `StoreError` names what is wrong with it."""
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in FORMS:
        raise StoreError(
            f"{_shown(text)}: not a store url that is known here", hint=f"Known: {', '.join(FORMS.values())}."
        )
    return _file(text) if scheme == "file" else _object(text, scheme, rest.rstrip("/"))


def _object(text: str, scheme: str, rest: str) -> StoreUrl:
    # Not urlsplit: `#`, `?` and `%` are ordinary characters of a key.
    before = {"azure": (_ACCOUNT,), "tos": (_HOST,), "swift": (_HOST, _NAMESPACE)}.get(scheme, ())
    *names, path = (*rest.split("/", len(before) + 1), "")[: len(before) + 2]
    wanted = (*before, _BUCKET)
    if len(names) < len(wanted) or not all(form.fullmatch(name) for form, name in zip(wanted, names, strict=True)):
        words = "no name of a bucket after s3://" if scheme == "s3" else f"not a url of {scheme}"
        raise StoreError(f"{_shown(text)}: {words}", hint=f"Write it as {FORMS[scheme]}.")
    if path:
        check_key(path, text)
    host, namespace = (*names[:-1], "", "")[:2]
    return StoreUrl(scheme, names[-1], path, text.rstrip("/"), host, namespace)


def _file(text: str) -> StoreUrl:
    # Literal as well; only an empty or `localhost` host is on this machine.
    host, slash, path = text.removeprefix("file://").partition("/")
    if host not in ("", "localhost") or not slash or not path.strip("/") or "\0" in path:
        raise StoreError(f"{text}: a file url is an absolute path of this machine", hint="Write it as file:///path.")
    return StoreUrl("file", "", "/" + path.strip("/"), text.rstrip("/"))


def _shown(text: str) -> str:
    """A text that is no url, without what may stand before an @ in it."""
    return without_secrets(text) if "@" in text else text


def without_secrets(address: str) -> str:
    """An http address for people: no user, no password, no query."""
    scheme, separator, rest = address.rpartition("://")
    authority, slash, path = rest.partition("/")
    host = authority.rpartition("@")[2].partition("?")[0]
    return f"{scheme}{separator}{host}{slash}{path.partition('?')[0]}".rstrip("/")
