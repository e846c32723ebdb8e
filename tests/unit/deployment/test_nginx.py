"""scripts/nginx.sh and what it makes of config/nginx/nginx.conf."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.services.service import find_binary

ROOT = Path(__file__).parents[3]


@pytest.fixture
def certificate(tmp_path: Path) -> dict[str, str]:
    if shutil.which("openssl") is None or find_binary("nginx") is None:
        pytest.skip("needs openssl and nginx")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec"),
            *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"),
            *("-subj", "/CN=localhost", "-keyout", str(tmp_path / "key")),
            *("-out", str(tmp_path / "certificate")),
        ],
        check=True,
        capture_output=True,
    )
    return {
        "HASHWORLD_TLS_CERTIFICATE": str(tmp_path / "certificate"),
        "HASHWORLD_TLS_KEY": str(tmp_path / "key"),
        "HASHWORLD_NGINX_RUN": str(tmp_path / "run"),
    }


def render(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    path = f"{os.environ['PATH']}:/usr/sbin"
    return subprocess.run(
        [str(ROOT / "scripts" / "nginx.sh"), "test"],
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def rendered(environment: dict[str, str]) -> str:
    done = render(environment)
    assert done.returncode == 0, done.stderr
    return Path(environment["HASHWORLD_NGINX_RUN"], "nginx.conf").read_text()


def test_nginx_takes_the_configuration(certificate: dict[str, str]) -> None:
    text = rendered(certificate)
    assert re.findall(r"@[A-Z]+@", re.sub(r"#.*", "", text)) == []
    assert "set_real_ip_from" not in text


def test_another_proxy_is_believed_where_it_is_named(certificate: dict[str, str]) -> None:
    text = rendered({**certificate, "HASHWORLD_TRUSTED_PROXIES": "10.0.0.0/8,2001:db8::/32"})
    assert "set_real_ip_from 10.0.0.0/8; set_real_ip_from 2001:db8::/32;" in text
    assert "real_ip_header X-Forwarded-For;" in text


@pytest.mark.parametrize("network", ["any where", "10.0.0.0/8;", "$host"])
def test_what_is_no_network_is_refused(certificate: dict[str, str], network: str) -> None:
    done = render({**certificate, "HASHWORLD_TRUSTED_PROXIES": network})
    assert done.returncode == 2
    assert "HASHWORLD_TRUSTED_PROXIES" in done.stderr


def test_without_a_certificate_it_says_so(certificate: dict[str, str]) -> None:
    done = render({**certificate, "HASHWORLD_TLS_KEY": "/nonexistent"})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "nginx: /nonexistent cannot be read: HTTPS needs a certificate and its key\n"
    )


def places() -> dict[str, str]:
    """What each location says, by its name."""
    text = (ROOT / "config" / "nginx" / "nginx.conf").read_text()
    return dict(re.findall(r"location (?:= )?(\S+) \{\n(.*?)\n        \}", text, re.DOTALL))


def test_flower_is_for_who_is_signed_in() -> None:
    found = places()
    assert "auth_request /_session;" in found["/flower/"]
    assert "internal;" in found["/_session"]
    for path in ("/flower/metrics", "/flower/healthcheck"):
        assert found[path].strip() == "return 404;"


def test_where_one_header_is_set_none_is_forgotten() -> None:
    """nginx passes a server's headers on only to places that set none."""
    for path, text in places().items():
        if "proxy_set_header" in text:
            for header in ("Host $http_host", "X-Forwarded-Proto https", "X-Forwarded-For"):
                assert f"proxy_set_header {header}" in text, path
        assert "add_header" not in text, path


def test_no_visitor_says_for_whom_a_request_is_made() -> None:
    text = (ROOT / "config" / "nginx" / "nginx.conf").read_text()
    assert "$proxy_add_x_forwarded_for" not in text
    assert 'proxy_set_header Forwarded "";' in text
