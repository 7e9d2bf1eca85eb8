"""The settings of a shared server: what is read, and what is refused in a sentence."""

from dataclasses import replace
from pathlib import Path

import pytest

from explorer.files import hosting
from explorer.files.limits import CLASS

AUTH = """
url = "https://latent.example.org"
[auth]
client_id = "a"
client_secret = "b"
server_metadata_url = "https://accounts.example.org/.well-known/openid-configuration"
"""


@pytest.fixture
def settings(tmp_path):
    def write(text):
        file = tmp_path / "hosting.toml"
        file.write_text(text, "utf-8")
        return file

    return write


def test_without_a_file_there_are_no_settings(monkeypatch):
    monkeypatch.delenv(hosting.VARIABLE, raising=False)
    assert hosting.hosting() is None


def test_the_named_file_counts(settings, monkeypatch):
    monkeypatch.setenv(hosting.VARIABLE, str(settings('hosts = [" Teacher@Example.org "]\n[limits]\nruns = 3')))
    found = hosting.hosting()
    assert found.hosts == {"teacher@example.org"}
    assert found.limits == replace(CLASS, runs=3)
    assert not found.providers


def test_providers_are_called_as_streamlit_calls_them(settings):
    assert hosting.read(settings(AUTH)).providers == ["default"]
    named = AUTH.replace("[auth]", "[auth.campus]") + '[auth.client_kwargs]\nscope = "openid"'
    assert hosting.read(settings(named)).providers == ["campus"]


def test_the_settings_in_the_documentation_are_settings(settings):
    page = (Path(__file__).parents[2] / "docs" / "hosting.md").read_text("utf-8")
    found = hosting.read(settings(page.split("```toml\n")[1].split("```")[0]))
    assert found.hosts
    assert found.providers == ["default"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("url = ", "is not TOML"),
        ('host = "a"', "a setting “host”, which does not exist"),
        ("hosts = 3", "“hosts” in .* must be a list"),
        ("hosts = [3]", "must be a list of e-mail addresses or ids"),
        ("port = 0", "“port” in .* must be from 1 to 65535"),
        ("port = true", "“port” in .* must be a whole number"),
        ('url = "latent.example.org"', "must be an address such as"),
        ('monitor_token = "short"', "must have 16 characters or more"),
        (AUTH.replace("url =", "#", 1), "needs “url”"),
        (AUTH.replace("client_id", "client"), r"\[auth\] in .* lacks client_id"),
        (AUTH.replace("[auth]", "[auth.my_campus]"), "without an underscore"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(settings, text, said):
    with pytest.raises(ValueError, match=said):
        hosting.read(settings(text))
