import pytest

from osmo.spec import url


@pytest.mark.parametrize(
    ("written", "checked"),
    [
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/", "s3://bucket"),
        ("s3://bucket/a/b//", "s3://bucket/a/b"),
        ("s3://My_bucket.1/a b/ü", "s3://My_bucket.1/a b/ü"),
        ("s3://bucket/50%", "s3://bucket/50%"),
        ("gs://bucket/a/", "gs://bucket/a"),
        ("azure://account/container", "azure://account/container"),
        ("azure://account/container/a b/", "azure://account/container/a b"),
        (
            "swift://objects.example.com:8080/AUTH_team/container/x",
            "swift://objects.example.com:8080/AUTH_team/container/x",
        ),
        ("tos://tos-s3-cn-beijing.volces.com/bucket/x", "tos://tos-s3-cn-beijing.volces.com/bucket/x"),
        ("file:///data/store", "file:///data/store"),
        ("file:///data/store/", "file:///data/store"),
    ],
)
def test_an_accepted_url_loses_its_trailing_slashes(written: str, checked: str) -> None:
    assert url.checked(written) == checked


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            "",
            "'' is not a data-store url (accepted: s3://bucket/path, gs://bucket/path, azure://account/container/path,",
        ),
        ("bucket/x", "'bucket/x' is not a data-store url"),
        ("/data/store", "'/data/store' is not a data-store url"),
        ("s3:/bucket", "'s3:/bucket' is not a data-store url"),
        ("gs://", "'gs://' names no bucket"),
        ("azure://account", "'azure://account' names no container (accepted: azure://account/container/path)"),
        ("azure://account/", "names no container"),
        ("azure://My-Account/c", "'My-Account' cannot be the name of a storage account"),
        ("swift://host/AUTH_ns", "names no container (accepted: swift://endpoint/AUTH_namespace/container/path)"),
        ("swift://host/ns/c", "'ns' cannot be the name of a namespace: it begins with AUTH_"),
        ("swift://ho st/AUTH_ns/c", "'ho st' cannot be the name of an endpoint"),
        ("tos://tos-s3-cn-beijing.volces.com", "names no bucket (accepted: tos://endpoint/bucket/path)"),
        ("tos://host/b//x", "an empty, '.' or '..' segment"),
        ("azure://a/c/../x", "an empty, '.' or '..' segment"),
        ("S3://b", "'S3://' is an unknown scheme (did you mean s3://?)"),
        ("files:///x", "'files://' is an unknown scheme (did you mean file://?)"),
        ("https://b", "'https://' is an unknown scheme (accepted:"),
        ("s3://", "'s3://' names no bucket"),
        ("s3:///x", "'s3:///x' names no bucket"),
        ("s3://b:80/x", "'b:80' cannot be the name of a bucket"),
        ("s3://$B/x", "'$B' cannot be the name of a bucket"),
        ("s3://b//x", "an empty, '.' or '..' segment"),
        ("s3://b/../x", "an empty, '.' or '..' segment"),
        ("s3://b/x?a=1", "'?' cannot be part"),
        ("s3://b/x#1", "'#' cannot be part"),
        ("s3://b/*", "'*' cannot be part"),
        ("s3://b/x;y", "';' cannot be part"),
        ("s3://b/x\ny", "control characters"),
        ("s3://b/x ", "ends with a space"),
        ("file://data", "needs an absolute path, with three slashes"),
        ("file://~/data", "needs an absolute path"),
        ("file://", "needs an absolute path"),
        ("file:///", "names no directory"),
        ("file:////data", "an empty, '.' or '..' segment"),
        ("file:///data/../x", "an empty, '.' or '..' segment"),
    ],
)
def test_a_refused_url_says_why(written: str, message: str) -> None:
    with pytest.raises(ValueError, match=".") as error:
        url.checked(written)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "written", ["s3://id:secret@b/x", "https://id:secret@b/x", "id:secret@b", "s3://id:secret@b?x"]
)
def test_a_secret_in_a_url_is_never_repeated(written: str) -> None:
    with pytest.raises(ValueError, match="credentials|scheme|url") as error:
        url.checked(written)
    assert "secret" not in str(error.value)


def test_only_a_file_url_means_a_directory() -> None:
    assert url.directory("file:///data/store") == "/data/store"
    assert url.directory("s3://bucket/data") is None
