"""How the bucket of a url is reached: by what its scheme says, what is kept for it, and the environment."""

import re
from collections.abc import Mapping
from dataclasses import replace

from osmo.errors import StoreError
from osmo.store import azure
from osmo.store.aws import Place, checked_endpoint, place_of
from osmo.store.options import options_of
from osmo.store.profiles import Profile
from osmo.store.style import style_of
from osmo.store.url import StoreUrl

GOOGLE = "https://storage.googleapis.com"
_TOS_REGION = re.compile(r"^tos(?:-s3)?-([a-z0-9-]+?)\.")
_STYLES = ("", "auto", "path", "virtual")


def reached(url: StoreUrl, environ: Mapping[str, str], profile: Profile) -> Place:
    """`StoreError` if an endpoint, a region or a style is none. May ask the server for the last two (5 s each)."""
    ca = environ.get("AWS_CA_BUNDLE", "")
    if url.scheme == "azure":
        return Place(azure.endpoint_of(url, profile, environ), "", custom=False, ca=profile["ca"] or ca)
    if url.scheme == "gs" and not profile.keys:
        override = profile["override_url"]
        return Place(checked_endpoint(override or GOOGLE), "", custom=bool(override), ca=profile["ca"] or ca)
    place = _s3(url, environ, profile)
    options = options_of(profile, environ)
    return _styled(replace(place, ca=profile["ca"] or place.ca, options=options), url, environ, profile)


def _s3(url: StoreUrl, environ: Mapping[str, str], profile: Profile) -> Place:
    override, region = profile["override_url"], profile["region"]
    if url.scheme == "s3":
        return place_of(url.bucket, environ, endpoint=override, region=region)
    ca = environ.get("AWS_CA_BUNDLE", "")
    if url.scheme == "gs":
        return Place(checked_endpoint(override or GOOGLE), region or "auto", custom=True, ca=ca)
    found = _TOS_REGION.match(url.host) if url.scheme == "tos" else None
    default = "cn-beijing" if url.scheme == "tos" else "us-east-1"
    endpoint = checked_endpoint(override or f"https://{url.host}")
    return Place(endpoint, region or (found[1] if found else default), custom=True, ca=ca)


def _styled(place: Place, url: StoreUrl, environ: Mapping[str, str], profile: Profile) -> Place:
    """The place with the bucket in its host name, if requests are to be made so."""
    if not place.custom:
        return place
    style = _wanted(profile, environ)
    if style not in _STYLES:
        raise StoreError(f"addressing_style {style!r} is none", hint="Accepted: path, virtual, auto.")
    if style in ("", "auto"):
        style = "path" if url.scheme in ("gs", "swift") else style_of(place, url.bucket, environ)
    return place.with_bucket(url.bucket) if style == "virtual" else place


def _wanted(profile: Profile, environ: Mapping[str, str]) -> str:
    """In OSMO's order: the credential, its variable, AWS's."""
    if said := profile["addressing_style"] or environ.get("OSMO_S3_ADDRESSING_STYLE", ""):
        return said.lower()
    return "path" if environ.get("AWS_S3_FORCE_PATH_STYLE", "").lower() in ("1", "true") else ""
