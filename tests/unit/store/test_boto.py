"""Where botocore's requests go, and with whose keys. Nothing is sent."""

import sys
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from osmo.store.aws import Place, aws_endpoint
from osmo.store.boto import BotoClients, Unloadable
from osmo.store.clients import Purpose
from osmo.store.credentials import Credentials

ENVIRON = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"}


def client(bucket: str, place: Place, purpose: Purpose = Purpose.WRITE, size: int = 0) -> Any:
    return BotoClients(bucket, place, Credentials(ENVIRON), 4).get(purpose, size)


def at_aws(bucket: str, region: str) -> Place:
    return Place(aws_endpoint(bucket, region), region, custom=False)


@pytest.mark.parametrize(
    ("bucket", "place", "want"),
    [
        ("bkt", at_aws("bkt", "eu-west-1"), "https://bkt.s3.eu-west-1.amazonaws.com/a/k"),
        ("b.kt", at_aws("b.kt", "us-east-1"), "https://s3.us-east-1.amazonaws.com/b.kt/a/k"),
        ("bkt", at_aws("bkt", "cn-north-1"), "https://bkt.s3.cn-north-1.amazonaws.com.cn/a/k"),
        ("bkt", Place("http://127.0.0.1:9", "eu", custom=True), "http://127.0.0.1:9/bkt/a/k"),
        ("bkt", Place("https://gate.example/s3", "eu", custom=True), "https://gate.example/s3/bkt/a/k"),
    ],
)
def test_requests_go_where_obstores_go(monkeypatch: pytest.MonkeyPatch, bucket: str, place: Place, want: str) -> None:
    """Whatever the process's own environment says besides."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://elsewhere:1")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", "true")
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    url = client(bucket, place).generate_presigned_url("head_object", Params={"Bucket": bucket, "Key": "a/k"})
    assert url.partition("?")[0] == want
    signed = str(parse_qs(urlsplit(url).query))
    assert "AKIA" in signed
    assert "token" in signed


def test_a_request_has_the_time_of_its_size_and_a_write_one_try() -> None:
    place = Place("http://127.0.0.1:9", "eu", custom=True)
    for purpose, size, seconds, tries in ((Purpose.WRITE, 0, 60, 1), (Purpose.PARTS, 20_000_000, 120, 4)):
        config = client("bkt", place, purpose, size).meta.config
        assert timedelta(seconds=config.read_timeout) == timedelta(seconds=seconds)
        assert config.retries["total_max_attempts"] == tries
        assert config.request_checksum_calculation == "when_required"


def test_keys_that_are_looked_for_anew_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = dict(ENVIRON)
    credentials = Credentials(environ)
    asking = BotoClients("bkt", Place("http://127.0.0.1:9", "eu", custom=True), credentials, 1).get(Purpose.READ)
    for key in ("AKIA", "AKIB"):
        environ["AWS_ACCESS_KEY_ID"] = key
        credentials.forget()
        assert key in asking.generate_presigned_url("head_bucket", Params={"Bucket": "bkt"})


def test_what_cannot_be_imported_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.config", None)
    with pytest.raises(Unloadable, match="cannot be loaded"):
        client("bkt", Place("http://127.0.0.1:9", "eu", custom=True))
