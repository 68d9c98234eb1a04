"""Credentials are put into OSMO's own file, and taken out of it. Whatever else is in it stays as it is written there.

The file is made with mode 0600 and replaced as a whole: nobody ever sees half of it, or one that others may read.
Comments are lost.
"""

import contextlib
import difflib
import fcntl
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from osmo.errors import StoreError, UsageError
from osmo.store.aws import checked_endpoint
from osmo.store.options import options_of
from osmo.store.profiles import Profile, keyring, of_ours, profiles, read
from osmo.store.url import FORMS, StoreUrl, parse

_NAME = re.compile(r"[a-zA-Z]([a-zA-Z0-9_-]*[a-zA-Z0-9])?")
_OSMO: Final = ("access_key_id", "access_key", "region", "override_url", "addressing_style")
_MORE: Final = (
    "session_token",
    "sas_token",
    "ca",
    "sse",
    "sse_kms_key_id",
    "sse_customer_key",
    "request_payer",
    "anonymous",
)
_FIELDS: Final = {"DATA": ("endpoint", *_OSMO, *_MORE), "REGISTRY": ("registry", "username", "auth"), "GENERIC": ()}
_NEEDED: Final = {"DATA": ("endpoint",), "REGISTRY": ("registry", "username", "auth"), "GENERIC": ()}


@dataclass(frozen=True, slots=True)
class Kept:
    """One credential. endpoint: of DATA, what its urls begin with; of REGISTRY, the registry."""

    name: str
    kind: str
    endpoint: str
    payload: Mapping[str, str] = field(repr=False)


def checked(name: str, kind: str, payload: Mapping[str, str]) -> Kept:
    """A credential to be kept. `UsageError` says what is wrong with it, and never shows a value that may be secret."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be the name of a credential: letters, digits, - and _, a letter first")
    known = _FIELDS[kind]
    for key in payload:
        if known and key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            raise UsageError(
                f"{kind} has no field {key!r} ({f'did you mean {near[0]}?' if near else ', '.join(known)})"
            )
    missing = [key for key in _NEEDED[kind] if not payload.get(key)]
    if missing or not payload:
        raise UsageError(
            f"a credential of type {kind} needs --payload {' '.join(f'{key}=…' for key in missing or ['key'])}"
        )
    if kind != "DATA":
        return Kept(name, kind, payload.get("registry", ""), payload)
    endpoint = payload["endpoint"].rstrip("/")
    _check_data(_url_of(endpoint), endpoint, payload)
    return Kept(name, kind, endpoint, {key: value for key, value in payload.items() if key != "endpoint"})


def _url_of(endpoint: str) -> StoreUrl:
    """A url of the endpoint: of Azure and Swift it may end before the container."""
    for written in (endpoint, f"{endpoint}/container"):
        with contextlib.suppress(StoreError):
            url = parse(written)
            if url.scheme != "file" and (written == endpoint or url.profile == endpoint):
                return url
    forms = ", ".join(form.replace("/container[/path]", "") for scheme, form in FORMS.items() if scheme != "file")
    raise UsageError(f"the endpoint of a DATA credential is the beginning of a url ({forms})")


def _check_data(url: StoreUrl, endpoint: str, payload: Mapping[str, str]) -> None:
    half = bool(payload.get("access_key_id")) != bool(payload.get("access_key"))
    if half and (url.scheme in ("s3", "swift", "tos") or payload.get("access_key_id")) and url.scheme != "azure":
        raise UsageError("access_key_id and access_key go together")
    if payload.get("addressing_style", "auto") not in ("path", "virtual", "auto"):
        raise UsageError(f"addressing_style {payload['addressing_style']!r} is none (accepted: path, virtual, auto)")
    if payload.get("override_url"):
        checked_endpoint(payload["override_url"])
    options_of(Profile(endpoint, "", payload), {})


def kept(file: Path, environ: Mapping[str, str]) -> list[Kept]:
    """All there are; a profile that OSMO's client wrote has no name of ours: its endpoint is its name."""
    named = of_ours(read(file))
    by_endpoint = {str(one.get("endpoint")): name for name, one in named.items() if one.get("type") == "DATA"}
    data = [Kept(by_endpoint.get(p.endpoint, p.endpoint), "DATA", p.endpoint, p.values) for p in profiles(environ)]
    others = [
        Kept(name, str(one.get("type")), str((one.get("payload") or {}).get("registry", "")), one.get("payload") or {})
        for name, one in named.items()
        if one.get("type") != "DATA"
    ]
    return [*data, *others]


def keep(file: Path, one: Kept, environ: Mapping[str, str], *, in_keyring: bool = False) -> None:
    """Keep it, in place of another of its name. `UsageError` if its endpoint has another credential."""
    for other in kept(file, environ):
        if (
            one.kind == other.kind == "DATA"
            and one.endpoint == other.endpoint
            and one.name != other.name != other.endpoint
        ):
            words = f"{one.endpoint} has the credential {other.name!r} already"
            raise UsageError(words, hint=f"`osmo credential delete {other.name}` first, or use its name.")
    payload = dict(one.payload)
    if in_keyring:
        if not payload.get("access_key"):
            raise UsageError("there is no access_key to put into the keyring")
        keyring("set_password", one.endpoint, payload.pop("access_key"))
    with _changing(file) as document:
        _take_out(document, one.name)
        more = payload
        if one.kind == "DATA":
            _put(_at(document, "auth", "data"), one.endpoint, {key: payload[key] for key in _OSMO if key in payload})
            more = {key: value for key, value in payload.items() if key not in _OSMO}
        about: dict[str, Any] = {"type": one.kind}
        about |= {"endpoint": one.endpoint} if one.kind == "DATA" else {}
        about |= {"keyring": "true"} if in_keyring else {}
        _put(_at(document, "credentials"), one.name, about | ({"payload": more} if more else {}))


def remove(file: Path, name: str, environ: Mapping[str, str]) -> None:
    """Take one out. `UsageError` if there is none of that name."""
    found = [one for one in kept(file, environ) if one.name == name]
    if not found:
        raise UsageError(f"there is no credential {name!r}", hint="`osmo credential list` shows them.")
    with _changing(file) as document:
        _take_out(document, name)
        if found[0].kind == "DATA":
            _drop(_at(document, "auth", "data"), found[0].endpoint)
    if found[0].payload.get("keyring"):
        with contextlib.suppress(StoreError):  # it is gone already, or nobody may ask: nothing refers to it any more
            keyring("delete_password", found[0].endpoint)


def _take_out(document: Any, name: str) -> None:
    ours = _at(document, "credentials")
    old = _get(ours, name)
    endpoint = _get(old, "endpoint") if old is not None else None
    if endpoint is not None:
        _drop(_at(document, "auth", "data"), str(endpoint.value))
    _drop(ours, name)


@contextlib.contextmanager
def _changing(file: Path) -> Iterator[Any]:
    """Inside the block the file's document may be changed; after it, it is on the disk. One process at a time."""
    import yaml

    file = Path(os.path.realpath(file))  # a link of somebody's dotfiles stays one
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(
        os.open(file.with_name(f".{file.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "rb"
    ) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        read(file)  # a file that is no YAML is left alone
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        document = yaml.compose(text, Loader=yaml.SafeLoader) or _mapping()
        if not isinstance(document, yaml.MappingNode):
            raise StoreError(f"{file} holds something else than settings", hint="Mend it, or move it away.")
        yield document
        _replace(file, yaml.serialize(document, Dumper=yaml.SafeDumper, allow_unicode=True).encode())


def _replace(file: Path, body: bytes) -> None:
    part = file.with_name(f".{file.name}.{secrets.token_hex(6)}")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as written:
            written.write(body)
            written.flush()
            os.fsync(written.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def _mapping() -> Any:
    import yaml

    return yaml.MappingNode("tag:yaml.org,2002:map", [], flow_style=False)


def _get(node: Any, key: str) -> Any:
    return next((value for name, value in node.value if name.value == key), None)


def _at(node: Any, *path: str) -> Any:
    """The mapping at a path of keys, made where there is none."""
    for key in path:
        below = _get(node, key)
        if below is None or not isinstance(below.value, list) or below.id != "mapping":
            _drop(node, key)
            below = _mapping()
            node.value.append((_scalar(key), below))
        below.flow_style = False
        node = below
    return node


def _put(node: Any, key: str, value: Mapping[str, Any]) -> None:
    _drop(node, key)
    node.value.append((_scalar(key), _node(value)))


def _drop(node: Any, key: str) -> None:
    node.value[:] = [(name, value) for name, value in node.value if name.value != key]


def _node(value: Any) -> Any:
    if isinstance(value, str):
        return _scalar(value, '"')
    node = _mapping()
    node.value.extend((_scalar(key), _node(below)) for key, below in value.items())
    return node


def _scalar(text: str, style: str | None = None) -> Any:
    import yaml

    return yaml.ScalarNode("tag:yaml.org,2002:str", text, style=style)
