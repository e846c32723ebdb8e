"""The demo's surroundings."""

from pathlib import Path

from hashworld.embedded import demo


def test_nothing_of_the_real_hashworld_reaches_the_demo():
    shell = {
        "PATH": "/bin",
        "DATABASE_URL": "mysql://real",
        "DATABASE_URL_FILE": "/run/secrets/url",
        "MYSQL_HOST": "real",
        "CELERY_BROKER_URL": "amqp://real",
        "REDIS_URL": "redis://real",
        "DJANGO_SECRET_KEY": "real",
        "HASHWORLD_DATA_DIR": "/real",
        "HASHWORLD_FETCH_DENY_NETWORKS": "real",
    }
    made = demo.environment(shell, Path("/folder"), with_site=False)
    assert made["PATH"] == "/bin"
    assert made["HASHWORLD_DATA_DIR"] == "/folder"
    assert not [value for value in made.values() if "real" in value or "secrets" in value]


def test_loopback_is_fetched_only_where_the_demo_has_a_site():
    own_list = demo.environment({}, Path("/folder"), with_site=False)
    assert not [name for name in own_list if "FETCH" in name]
    with_site = demo.environment({}, Path("/folder"), with_site=True)
    assert with_site["HASHWORLD_FETCH_ALLOW_NETWORKS"] == "127.0.0.0/8"


def test_the_last_words_are_the_end_of_the_log(tmp_path):
    assert demo.last_words(tmp_path, 2) == []
    (tmp_path / demo.LOG).write_text("a\nb\nc\n")
    assert demo.last_words(tmp_path, 2) == ["b\n", "c\n"]
