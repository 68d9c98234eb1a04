"""The credentials that are kept on this machine for urls, where and as OSMO's own client keeps them.

`$OSMO_CONFIG_FILE_DIR/config.yaml`, else the XDG place: beneath `auth: data:` a profile for each bucket (of Azure:
storage account, of Swift: namespace). What OSMO's file has no place for (a name, a session token, encryption) lies
beneath `credentials:`. YAML is imported only where there is such a file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from osmo.errors import NoCredentials, StoreError
from osmo.store.url import StoreUrl

TRUE = {"1", "true", "yes", "on"}
_SERVICE = "osmo"  # what the system's keyring knows us by
_WITHOUT = "`osmo credential set` without --keyring keeps it in a file that only you can read."


@dataclass(frozen=True, slots=True)
class Profile:
    """What is kept for the urls that begin with `endpoint`. source: where, for people; never what."""

    endpoint: str
    source: str
    values: Mapping[str, str] = field(repr=False)

    def __getitem__(self, key: str) -> str:
        """A value, empty if there is none."""
        return self.values.get(key, "")

    @property
    def keys(self) -> tuple[str, str] | None:
        """A pair of an S3 access key id and its secret."""
        return (self["access_key_id"], self["access_key"]) if self["access_key_id"] and self["access_key"] else None


NONE = Profile("", "", {})


def config_directory(environ: Mapping[str, str]) -> Path:
    """`$OSMO_CONFIG_FILE_DIR`, else the XDG place."""
    if own := environ.get("OSMO_CONFIG_FILE_DIR"):
        return Path(own)
    home = environ.get("HOME") or str(Path("~").expanduser())
    return Path(environ.get("XDG_CONFIG_HOME") or Path(home, ".config")) / "osmo"


def config_file(environ: Mapping[str, str]) -> Path:
    return config_directory(environ) / "config.yaml"


def profile_of(url: StoreUrl, environ: Mapping[str, str]) -> Profile:
    """The profile with the longest prefix of a url; `NONE` if there is none. `StoreError` if the file is no YAML."""
    found = [profile for profile in profiles(environ) if begins(url, profile.endpoint)]
    return _with_secret(max(found, key=lambda profile: len(profile.endpoint), default=NONE))


def begins(url: StoreUrl, endpoint: str) -> bool:
    """Whether a profile is for a url: by whole segments."""
    return bool(endpoint) and f"{url.text}/".startswith(f"{endpoint.rstrip('/')}/")


def profiles(environ: Mapping[str, str]) -> list[Profile]:
    """All of them, each with the name it was given."""
    document = read(config_file(environ))
    auth = document.get("auth")
    data = auth.get("data") if isinstance(auth, dict) else None
    ours_of = {
        str(kept.get("endpoint")): (name, kept)
        for name, kept in of_ours(document).items()
        if kept.get("type") == "DATA"
    }
    shown = short(config_file(environ), environ)
    found = []
    for endpoint, values in (data if isinstance(data, dict) else {}).items():
        name, ours = ours_of.get(str(endpoint), ("", {}))
        both = _texts(values) | _texts(ours.get("payload")) | ({"keyring": "true"} if ours.get("keyring") else {})
        source = f"credential {name!r} in {shown}" if name else f"{endpoint} in {shown}"
        found.append(Profile(str(endpoint), source, both))
    return found


def of_ours(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Our own part of the file: what is kept by name."""
    kept = document.get("credentials")
    return {str(name): one for name, one in kept.items() if isinstance(one, dict)} if isinstance(kept, dict) else {}


def read(file: Path) -> dict[str, Any]:
    """The file as it is; empty if there is none."""
    try:
        text = file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{file} cannot be read: {getattr(error, 'strerror', '') or 'not UTF-8'}") from error
    import yaml

    try:
        document = yaml.load(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))  # noqa: S506  # texts only
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)  # its own words would show a piece of the file
        where = f", line {mark.line + 1}" if mark else ""
        raise StoreError(f"{file}{where}: this is not YAML", hint="Mend it, or move it away.") from error
    return document if isinstance(document, dict) else {}


def short(path: Path, environ: Mapping[str, str]) -> str:
    """A path for people: the home directory as `~`."""
    home = environ.get("HOME", "")
    return f"~{str(path).removeprefix(home)}" if home and str(path).startswith(f"{home}/") else str(path)


def _texts(values: object) -> dict[str, str]:
    pairs = values.items() if isinstance(values, dict) else ()
    return {str(name): str(value) for name, value in pairs if isinstance(value, str | int | float) and str(value)}


def _with_secret(profile: Profile) -> Profile:
    if profile["keyring"] not in TRUE:
        return profile
    secret = keyring("get_password", profile.endpoint)
    if not secret:
        raise NoCredentials(f"the keyring holds nothing for {profile.endpoint}", hint="Set the credential again.")
    return Profile(profile.endpoint, f"{profile.source}, keyring", {**profile.values, "access_key": secret})


def keyring(call: str, *arguments: str) -> Any:
    """One call of the system's keyring about a secret of ours. `StoreError` if there is none, or it refuses."""
    try:
        import keyring as library
    except ImportError:
        raise StoreError("keyring is not installed", hint="pip install 'osmo-workflow[keyring]'") from None
    try:
        return getattr(library, call)(_SERVICE, *arguments)
    except library.errors.KeyringError as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise StoreError(f"the system's keyring: {said}", hint=_WITHOUT) from None
