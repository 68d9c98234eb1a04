from pathlib import Path

import pytest

from osmo.errors import StoreError
from osmo.store.aws import Place, aws_endpoint, place_of, read_profile

CONFIG = """
[default]
region = eu-west-1
[profile work]
region = eu-north-1
endpoint_url = https://general.example
services = mine
s3 =
    max_concurrent_requests = 20
[profile plain]
endpoint_url = https://plain.example/
[services mine]
dynamodb =
  endpoint_url = https://other.example
s3 =
  endpoint_url = https://s3.example:9000
"""


@pytest.fixture
def home(tmp_path: Path) -> str:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text(CONFIG)
    return str(tmp_path)


@pytest.mark.parametrize(
    ("environ", "want"),
    [
        ({"AWS_PROFILE": "work"}, Place("https://s3.example:9000", "eu-north-1", custom=True)),
        ({"AWS_DEFAULT_PROFILE": "plain"}, Place("https://plain.example", "us-east-1", custom=True)),
        ({"AWS_PROFILE": "work", "AWS_ENDPOINT_URL": "http://h:1"}, Place("http://h:1", "eu-north-1", custom=True)),
        (
            {"AWS_ENDPOINT_URL": "http://h:1", "AWS_ENDPOINT_URL_S3": "http://h:2", "AWS_REGION": "r-1"},
            Place("http://h:2", "r-1", custom=True),
        ),
        ({}, Place("https://bucket.s3.eu-west-1.amazonaws.com", "eu-west-1", custom=False)),
        ({"AWS_DEFAULT_REGION": "us-west-2"}, Place("https://bucket.s3.us-west-2.amazonaws.com", "us-west-2", False)),
        (
            {"AWS_PROFILE": "work", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
            Place("https://bucket.s3.eu-north-1.amazonaws.com", "eu-north-1", custom=False),
        ),
        (
            {"AWS_CA_BUNDLE": "/ca.pem"},
            Place("https://bucket.s3.eu-west-1.amazonaws.com", "eu-west-1", False, "/ca.pem"),
        ),
    ],
)
def test_where_a_bucket_is_reached(home: str, environ: dict[str, str], want: Place) -> None:
    assert place_of("bucket", {"HOME": home, **environ}) == want


@pytest.mark.parametrize(
    ("bucket", "region", "want", "virtual"),
    [
        ("b", "us-east-1", "https://b.s3.us-east-1.amazonaws.com", True),
        ("s3-b", "us-east-1", "https://s3-b.s3.us-east-1.amazonaws.com", True),
        ("b.c", "us-east-1", "https://s3.us-east-1.amazonaws.com", False),
        ("b", "cn-north-1", "https://b.s3.cn-north-1.amazonaws.com.cn", True),
    ],
)
def test_the_address_of_a_bucket_at_aws(bucket: str, region: str, want: str, virtual: bool) -> None:
    assert aws_endpoint(bucket, region) == want
    place = Place(want, region, custom=False)
    assert place.virtual_hosted is virtual
    assert place.without(bucket) == (want.replace(f"//{bucket}.", "//") if virtual else want)


def test_a_bucket_is_not_cut_out_of_an_endpoint_of_ones_own() -> None:
    place = Place("http://minio.example:9000", "us-east-1", custom=True)
    assert place.without("minio") == "http://minio.example:9000"


@pytest.mark.parametrize("endpoint", ["localhost:9000", "nonsense", "s3://x", "http://", "http://h:port", "http://a b"])
def test_an_endpoint_that_is_no_address_is_refused(endpoint: str) -> None:
    with pytest.raises(StoreError, match="not an http or https address"):
        place_of("bucket", {"AWS_ENDPOINT_URL_S3": endpoint})


def test_a_broken_or_missing_config_says_nothing(tmp_path: Path) -> None:
    assert read_profile({"HOME": str(tmp_path)}) == {}
    (tmp_path / "config").write_text("no section")
    assert read_profile({"AWS_CONFIG_FILE": str(tmp_path / "config")}) == {}


def test_an_endpoint_is_shown_without_its_password() -> None:
    assert Place("http://me:hunter2@host:9000", "r", custom=True).shown == "http://host:9000"


def test_a_region_that_is_no_name_is_refused() -> None:
    with pytest.raises(StoreError, match="is not a region's name"):
        place_of("bucket", {"AWS_REGION": "eu west"})
