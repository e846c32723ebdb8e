"""Scrapy with a pipeline into MariaDB: requests from a table, results in sets of 100."""

import asyncio
import hashlib
import os
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import MySQLdb
import scrapy
from scrapy.crawler import CrawlerProcess
from scrapy.http import Response

from benchmarks import entrant

SET = 100
SUCCEED = 4
TABLES = """
CREATE TABLE page (
  id BIGINT AUTO_INCREMENT PRIMARY KEY, url VARCHAR(2048) NOT NULL,
  state SMALLINT UNSIGNED NOT NULL, status SMALLINT UNSIGNED, sha256 VARCHAR(64) NOT NULL
);
CREATE TABLE body (page_id BIGINT PRIMARY KEY, data LONGBLOB NOT NULL)
"""
SETTINGS = {
    "CONCURRENT_REQUESTS": 64,
    "CONCURRENT_REQUESTS_PER_DOMAIN": 64,
    "DOWNLOAD_DELAY": 0,
    "AUTOTHROTTLE_ENABLED": False,
    "ROBOTSTXT_OBEY": False,
    "COOKIES_ENABLED": False,
    "RETRY_ENABLED": False,
    "TELNETCONSOLE_ENABLED": False,
    "LOG_LEVEL": "WARNING",
    "ITEM_PIPELINES": {"benchmarks.peers.scrapy_spider.BulkPipeline": 1},
}


def connect() -> Any:
    """A connection that commits when told to."""
    server = urlsplit(os.environ["DATABASE_URL"])
    return MySQLdb.connect(
        host=server.hostname,
        port=server.port,
        user=server.username,
        password=server.password,
        database=server.path.strip("/"),
    )


class PageSpider(scrapy.Spider):
    """Fetches every page of the table whose id leaves `rest` when divided by `processes`."""

    name = "pages"
    processes: str
    rest: str

    async def start(self) -> AsyncIterator[Any]:
        """The requests."""
        connection = connect()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, url FROM page WHERE state = 0 AND id %% %s = %s",
                (int(self.processes), int(self.rest)),
            )
            rows = cursor.fetchall()
        connection.close()
        for id_, url in rows:
            yield scrapy.Request(url, cb_kwargs={"id_": id_}, dont_filter=True)

    def parse(self, response: Response, id_: int) -> Any:
        """What is kept of a page."""
        sha256 = hashlib.sha256(response.body).hexdigest()
        yield {"id": id_, "status": response.status, "sha256": sha256, "body": response.body}


class BulkPipeline:
    """Writes items in sets, on a thread, so that the reactor goes on."""

    def open_spider(self) -> None:
        """Connect."""
        self._items: list[dict[str, Any]] = []
        self._connection = connect()
        self._thread = ThreadPoolExecutor(1)

    async def process_item(self, item: dict[str, Any]) -> dict[str, Any]:
        """Collect; the last of a set waits until the set is written."""
        self._items.append(item)
        if len(self._items) >= SET:
            items, self._items = self._items, []
            await asyncio.get_running_loop().run_in_executor(self._thread, self._write, items)
        return item

    def close_spider(self) -> None:
        """Write what is left."""
        self._thread.shutdown()
        if self._items:
            self._write(self._items)
        self._connection.close()

    def _write(self, items: list[dict[str, Any]]) -> None:
        rows = " UNION ALL ".join(["SELECT %s AS id, %s AS status, %s AS sha256"] * len(items))
        values = [part for item in items for part in (item["id"], item["status"], item["sha256"])]
        with self._connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO body (page_id, data) VALUES (%s, %s)",
                [(item["id"], item["body"]) for item in items],
            )
            cursor.execute(
                f"UPDATE page JOIN ({rows}) AS done USING (id) SET page.state = {SUCCEED},"
                " page.status = done.status, page.sha256 = done.sha256",
                values,
            )
        self._connection.commit()


def insert(path: str) -> None:
    """Put the URLs of a file into the table, which is made first when it is missing."""
    urls = Path(path).read_text().splitlines()
    connection = connect()
    with connection.cursor() as cursor:
        for table in TABLES.split(";"):
            cursor.execute(table.replace("TABLE", "TABLE IF NOT EXISTS"))
        if entrant.ready():
            entrant.tell(entrant.measured(lambda: _insert(cursor, urls)))
    connection.close()


def _insert(cursor: Any, urls: list[str]) -> None:
    cursor.executemany(
        "INSERT INTO page (url, state, sha256) VALUES (%s, 0, '')", [(url,) for url in urls]
    )
    cursor.connection.commit()


def crawl(processes: str, rest: str) -> None:
    """Fetch this process's share."""
    process = CrawlerProcess(SETTINGS)
    if entrant.ready():
        process.crawl(PageSpider, processes=processes, rest=rest)
        entrant.tell(entrant.measured(process.start))


if __name__ == "__main__":
    if sys.argv[1] == "insert":
        insert(sys.argv[2])
    else:
        crawl(*sys.argv[2:])
