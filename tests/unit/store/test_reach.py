import json
from pathlib import Path

import pytest

from osmo.errors import StoreError
from osmo.store import style
from osmo.store.aws import Place
from osmo.store.profiles import NONE, Profile
from osmo.store.reach import reached
from osmo.store.style import Said, choice, may_be_virtual
from osmo.store.url import parse

KEYS = {"access_key_id": "ID", "access_key": "secret"}
TOS = "tos://tos-s3-cn-guangzhou.volces.com/b"


@pytest.fixture(autouse=True)
def nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "ask", lambda *_: Said())


@pytest.mark.parametrize(
    ("url", "values", "want"),
    [
        ("gs://b", KEYS, Place("https://storage.googleapis.com", "auto", custom=True)),
        ("gs://b", {}, Place("https://storage.googleapis.com", "", custom=False)),
        ("swift://h:8080/AUTH_n/b", KEYS, Place("https://h:8080", "us-east-1", custom=True)),
        ("swift://h/AUTH_n/b", KEYS | {"override_url": "http://h:1/"}, Place("http://h:1", "us-east-1", custom=True)),
        (TOS, KEYS, Place("https://tos-s3-cn-guangzhou.volces.com", "cn-guangzhou", custom=True)),
        (
            TOS,
            KEYS | {"addressing_style": "virtual"},
            Place("https://b.tos-s3-cn-guangzhou.volces.com", "cn-guangzhou", custom=True, virtual=True),
        ),
        (TOS, KEYS | {"region": "mine"}, Place("https://tos-s3-cn-guangzhou.volces.com", "mine", custom=True)),
        (
            "s3://b",
            KEYS | {"override_url": "https://minio.example", "region": "r", "addressing_style": "path"},
            Place("https://minio.example", "r", custom=True),
        ),
        ("s3://b", KEYS | {"region": "eu-1"}, Place("https://b.s3.eu-1.amazonaws.com", "eu-1", custom=False)),
        ("azure://acc/c", {}, Place("https://acc.blob.core.windows.net", "", custom=False)),
        (
            "azure://acc/c",
            {"access_key": "AccountName=acc;AccountKey=a2V5==;EndpointSuffix=core.chinacloudapi.cn"},
            Place("https://acc.blob.core.chinacloudapi.cn", "", custom=False),
        ),
        (
            "azure://acc/c",
            {"access_key": "BlobEndpoint=http://127.0.0.1:1/acc;SharedAccessSignature=sig"},
            Place("http://127.0.0.1:1/acc", "", custom=False),
        ),
    ],
)
def test_where_the_bucket_of_a_url_is_reached(url: str, values: dict[str, str], want: Place) -> None:
    assert reached(parse(url), {}, Profile(url, "", values)) == want


@pytest.mark.parametrize(
    ("environ", "want"),
    [
        ({}, False),
        ({"OSMO_S3_ADDRESSING_STYLE": "virtual"}, True),
        ({"OSMO_S3_ADDRESSING_STYLE": "path", "AWS_S3_FORCE_PATH_STYLE": "false"}, False),
        ({"AWS_S3_FORCE_PATH_STYLE": "true"}, False),
    ],
)
def test_the_style_that_is_said_is_taken(environ: dict[str, str], want: bool) -> None:
    environ = {"AWS_ENDPOINT_URL": "https://store.example", "AWS_REGION": "r", **environ}
    assert reached(parse("s3://b"), environ, NONE).virtual is want


def test_a_style_that_is_none_is_refused() -> None:
    with pytest.raises(StoreError, match="'dns' is none"):
        reached(parse(TOS), {}, Profile(TOS, "", {"addressing_style": "dns"}))


@pytest.mark.parametrize(
    ("endpoint", "bucket", "want"),
    [
        ("https://s3.example.com", "b", True),
        ("http://s3.example.com:9000", "a.b", True),
        ("https://s3.example.com", "a.b", False),  # no certificate covers two more names
        ("http://127.0.0.1:9000", "b", False),
        ("http://[::1]:9000", "b", False),
        ("http://minio:9000", "b", False),
        ("https://gate.example.com/s3", "b", False),
    ],
)
def test_where_a_bucket_may_stand_in_the_host(endpoint: str, bucket: str, want: bool) -> None:
    assert may_be_virtual(endpoint, bucket) is want


@pytest.mark.parametrize(
    ("by_path", "by_host", "want"),
    [
        (Said(200), Said(200), "path"),
        (Said(403, "AccessDenied"), Said(), "path"),
        (Said(403, "SecondLevelDomainForbidden"), Said(), "virtual"),
        (Said(400), Said(403, "AccessDenied"), "virtual"),
        (Said(404, "NoSuchBucket"), Said(404, "NoSuchBucket"), "path"),
        (Said(404, "NoSuchKey"), Said(200), "virtual"),
        (Said(405), Said(), "path"),
    ],
)
def test_path_style_wherever_it_works(by_path: Said, by_host: Said, want: str) -> None:
    assert choice(by_path, by_host) == want


def test_what_was_found_out_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(address: str, *_: object) -> Said:
        asked.append(address)
        return Said(400) if "//once" in address else Said(403)

    monkeypatch.setattr(style, "ask", answer)
    place = Place("https://once.example.com", "r", custom=True)
    assert [style.style_of(place, "b", {}) for _ in range(3)] == ["virtual"] * 3
    assert asked == ["https://once.example.com/b", "https://b.once.example.com"]


def test_what_was_found_out_is_known_to_the_next_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place = Place("https://noted.example.com", "r", custom=True)
    for answer in (Said(403, "InvalidPathAccess"), Said(403)):
        monkeypatch.setattr(style, "KNOWN", style._Known())
        monkeypatch.setattr(style, "ask", lambda *_, said=answer: said)
        assert style.style_of(place, "b", {"HOME": str(tmp_path)}) == "virtual"
    assert (tmp_path / ".cache/osmo/stores.json").exists()


def test_silence_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place("https://silent.example.com", "r", custom=True)
    assert style.style_of(place, "b", {}) == "path"
    monkeypatch.setattr(style, "ask", lambda address, *_: Said(403, "InvalidPathAccess"))
    assert style.style_of(place, "b", {}) == "virtual"


def test_the_region_of_a_stored_credential_is_asked_of_nobody(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(json.dumps({}))
    place = reached(parse("s3://b"), {"HOME": str(tmp_path)}, Profile("s3://b", "", KEYS | {"region": "eu-2"}))
    assert place.region == "eu-2"
