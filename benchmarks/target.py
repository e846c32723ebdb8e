"""The web site that everybody fetches: nginx on sixteen addresses, a page of its own per URL."""

import os
import random

from tests.services.service import Service, find_binary

ADDRESSES = tuple(f"127.0.0.{number}" for number in range(1, 17))
PAGE_BYTES = 20 * 1024
#: Makes every page, and so every body that is kept, distinct.
_DISTINCT = "$request_uri"
#: A parameter of the configuration ends at 4 KB, so the page stands in several.
_PART = 4000
CONFIGURATION = """\
{user}
worker_processes 1;
daemon off;
pid {folder}/pid;
error_log stderr;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    default_type text/html;
    client_body_temp_path {folder}/client;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    server {{
{listen}
{parts}
        return 200 '{whole}';
    }}
}}
"""


class Target(Service):
    """nginx, with keep-alive unlimited."""

    name = "nginx"
    binaries = ("nginx",)

    @property
    def url(self) -> str:
        return f"http://{ADDRESSES[0]}:{self.port}/"

    def is_up(self) -> bool:
        return (self.folder / "pid").exists()

    def prepare(self) -> None:
        text = page()
        parts = [text[i : i + _PART] for i in range(0, len(text), _PART)]
        configuration = CONFIGURATION.format(
            user="user root;" if os.getuid() == 0 else "",
            folder=self.folder,
            listen="\n".join(f"        listen {each}:{self.port};" for each in ADDRESSES),
            parts="\n".join(f"        set $part{i} '{part}';" for i, part in enumerate(parts)),
            whole="".join(f"${{part{i}}}" for i in range(len(parts))),
        )
        (self.folder / "nginx.conf").write_text(configuration)

    def command(self) -> list[str]:
        return [str(find_binary("nginx")), "-p", str(self.folder), "-c", "nginx.conf"]

    def urls(self, path: str, count: int) -> list[str]:
        """`count` URLs under `path`, over all addresses in turn."""
        return [
            f"http://{ADDRESSES[number % len(ADDRESSES)]}:{self.port}/{path}/{number}"
            for number in range(count)
        ]


def page() -> str:
    """20 KB of HTML that compresses about as real pages do, to a quarter or a fifth."""
    dice = random.Random(20)
    syllables = [a + b for a in "bdfgklmnprstvw" for b in ("a", "e", "i", "o", "u", "an", "er")]
    words = ["".join(dice.choices(syllables, k=dice.randint(1, 4))) for _ in range(2000)]
    frequencies = [1 / rank for rank in range(1, len(words) + 1)]  # Zipf's law
    head = f"<!doctype html>\n<title>{_DISTINCT}</title>\n<h1>{_DISTINCT}</h1>\n"
    text = [head]
    size = len(head)
    while size < PAGE_BYTES:
        link = f'<a class="entry-link" href="/articles/{"-".join(dice.choices(words, k=3))}">'
        prose = " ".join(dice.choices(words, frequencies, k=24))
        line = f'<li class="entry"><h2>{link}</a></h2><p class="summary">{prose}</p></li>\n'
        text.append(line)
        size += len(line)
    return "".join(text)[:PAGE_BYTES]
