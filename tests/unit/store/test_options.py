import base64

import pytest

from osmo.errors import StoreError
from osmo.store.options import PLAIN, Options, headers, options_of
from osmo.store.profiles import NONE, Profile

KEY = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    ("values", "environ", "want"),
    [
        ({}, {}, PLAIN),
        ({"sse": "AES256"}, {}, Options("AES256")),
        ({"sse": "sse-s3"}, {}, Options("AES256")),
        ({"sse_kms_key_id": "arn"}, {}, Options("aws:kms", "arn")),
        ({"sse": "aws:kms:dsse", "sse_kms_key_id": "arn"}, {}, Options("aws:kms:dsse", "arn")),
        ({"sse": "AES256", "sse_kms_key_id": "arn"}, {}, Options("AES256")),
        ({"sse_customer_key": KEY}, {}, Options("sse-c", customer_key=KEY)),
        ({}, {"AWS_SERVER_SIDE_ENCRYPTION": "aws:kms"}, Options("aws:kms")),
        ({}, {"AWS_SSE_CUSTOMER_KEY_BASE64": KEY}, Options("sse-c", customer_key=KEY)),
        ({"request_payer": "requester"}, {}, Options(requester_pays=True)),
        ({}, {"AWS_REQUEST_PAYER": "requester"}, Options(requester_pays=True)),
        ({"anonymous": "true"}, {}, Options(anonymous=True)),
        ({}, {"AWS_SKIP_SIGNATURE": "true"}, Options(anonymous=True)),
    ],
)
def test_what_is_asked_of_every_request(values: dict[str, str], environ: dict[str, str], want: Options) -> None:
    assert options_of(Profile("s3://b", "", values), environ) == want


@pytest.mark.parametrize("values", [{"sse": "rot13"}, {"sse": "sse-c"}, {"sse_customer_key": "c2hvcnQ="},
                                    {"sse_customer_key": "no base64!"}])  # fmt: skip
def test_what_makes_no_sense_is_refused(values: dict[str, str]) -> None:
    with pytest.raises(StoreError, match="encryption"):
        options_of(Profile("s3://b", "", values), {})


def test_a_customers_key_is_never_shown() -> None:
    assert KEY not in repr(options_of(NONE, {"AWS_SSE_CUSTOMER_KEY_BASE64": KEY}))


def test_each_request_gets_the_headers_that_it_takes() -> None:
    customer = headers(Options("sse-c", customer_key=KEY), "UploadPartCopy")
    assert customer["x-amz-server-side-encryption-customer-key"] == KEY
    assert customer["x-amz-copy-source-server-side-encryption-customer-key-MD5"] == "cLyPS3KoaSFGi/joRB3OUQ=="
    assert headers(Options("sse-c", customer_key=KEY), "ListMultipartUploads") == {}
    assert headers(Options("aws:kms", "arn"), "UploadPart") == {}
    assert headers(Options("aws:kms", "arn"), "CreateMultipartUpload") == {
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id": "arn",
    }
    assert headers(Options(requester_pays=True), "AbortMultipartUpload") == {"x-amz-request-payer": "requester"}
