import sys
from pathlib import Path

import pytest

from osmo.errors import NoCredentials
from osmo.store.credentials import Credentials, _session, in_words, prepare
from support.planted import keep_secret

KEYS = {"AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "hunter2"}
NOWHERE = {"AWS_EC2_METADATA_DISABLED": "true"}


def at(home: Path, **files: str) -> dict[str, str]:
    (home / ".aws").mkdir()
    for name, text in files.items():
        keep_secret(home / ".aws" / name, text)
    return {"HOME": str(home), **NOWHERE}


@pytest.mark.parametrize(
    ("method", "profile", "want"),
    [
        ("shared-credentials-file", "work", "profile 'work' in ~/.aws/credentials"),
        ("shared-credentials-file", "", "profile 'default' in ~/.aws/credentials"),
        ("config-file", "work", "profile 'work' in ~/.aws/config"),
        ("custom-process", "work", "credential_process of profile 'work'"),
        ("sso", "work", "SSO login of profile 'work'"),
        ("iam-role", "", "instance role"),
        ("container-role", "", "container role"),
        ("something-new", "", "AWS's chain (something-new)"),
    ],
)
def test_where_credentials_came_from_in_words(method: str, profile: str, want: str) -> None:
    assert in_words(method, profile, {"HOME": "/home/me"}) == want


def test_a_file_elsewhere_is_named() -> None:
    environ = {"HOME": "/home/me", "AWS_SHARED_CREDENTIALS_FILE": "/etc/keys"}
    assert in_words("shared-credentials-file", "", environ) == "profile 'default' in /etc/keys"


def test_keys_of_the_environment() -> None:
    credentials = Credentials({**KEYS, "AWS_SESSION_TOKEN": "t"})
    assert credentials() == {
        "access_key_id": "AKIA1",
        "secret_access_key": "hunter2",
        "token": "t",
        "expires_at": None,
    }
    assert credentials.source == "environment (AWS_ACCESS_KEY_ID)"


def test_keys_of_a_profile(tmp_path: Path) -> None:
    environ = at(tmp_path, credentials="[work]\naws_access_key_id = AKIA2\naws_secret_access_key = s\n")
    credentials = Credentials({**environ, "AWS_PROFILE": "work"})
    credentials.find()
    assert credentials()["access_key_id"] == "AKIA2"
    assert credentials.source == "profile 'work' in ~/.aws/credentials"


def test_files_are_read_again_after_forget(tmp_path: Path) -> None:
    text = "[default]\naws_access_key_id = %s\naws_secret_access_key = s\n"
    credentials = Credentials(at(tmp_path, credentials=text % "old"))
    assert credentials()["access_key_id"] == "old"
    (tmp_path / ".aws/credentials").write_text(text % "new")
    assert credentials()["access_key_id"] == "old"
    credentials.forget()
    assert credentials()["access_key_id"] == "new"


@pytest.mark.parametrize(
    ("profile", "text", "words", "hint"),
    [
        ("", "", "no AWS credentials found", "AWS_ACCESS_KEY_ID"),
        ("nobody", "", "there is no profile 'nobody' in ~/.aws", "AWS_PROFILE"),
        ("half", "[half]\naws_access_key_id = hunter2\n", "only half of a pair", "AWS_ACCESS_KEY_ID"),
        ("", "nonsense", "cannot be read", ""),
    ],
)
def test_no_credentials(tmp_path: Path, profile: str, text: str, words: str, hint: str) -> None:
    credentials = Credentials({**at(tmp_path, credentials=text), "AWS_PROFILE": profile})
    with pytest.raises(NoCredentials, match=words) as caught:
        credentials.find()
    assert hint in caught.value.hint
    assert "hunter2" not in str(caught.value)


def test_obstore_gets_a_text_and_we_keep_the_error(tmp_path: Path) -> None:
    credentials = Credentials(at(tmp_path))
    with pytest.raises(NoCredentials) as caught:
        credentials()
    assert credentials.failure() is caught.value
    assert credentials.failure() is None


def test_keys_of_the_environment_need_no_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in sys.modules if each.partition(".")[0] == "botocore"]:
        monkeypatch.delitem(sys.modules, name)
    Credentials({**KEYS, "AWS_PROFILE": "work"})()
    assert "botocore" not in sys.modules


def test_what_roles_and_logins_need_is_read_before_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package may be another one by then."""
    prepare({"HOME": "/nowhere"})

    def gone(*_: object) -> None:
        raise AssertionError("it is read now")

    monkeypatch.setattr("botocore.loaders.JSONFileLoader.load_file", gone)
    for service in ("sts", "sso", "sso-oidc"):
        session = _session({"AWS_EC2_METADATA_DISABLED": "true"})
        session.create_client(service, "us-east-1", aws_access_key_id="a", aws_secret_access_key="b").close()
