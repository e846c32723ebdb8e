"""The demo's kinds of page."""

from collections import Counter

from hashworld.embedded import pages, site


def test_the_shares_are_of_a_thousand():
    assert sum(kind.share for kind in pages.KINDS.values()) == 1000


def test_the_mix_has_as_many_pages_as_asked_for_and_every_kind():
    urls = pages.mix(200, pages.HOSTS, 8000)
    assert len(urls) == len(set(urls)) == 200
    assert {pages.kind_of(url).name for url in urls} == set(pages.KINDS)


def test_a_mix_too_small_for_every_kind_has_one_of_each():
    kinds = Counter(pages.kind_of(url).name for url in pages.mix(1, pages.HOSTS, 8000))
    assert kinds == Counter(list(pages.KINDS))


def test_the_mix_is_the_same_every_time_and_spread_over_the_hosts():
    urls = pages.mix(160, pages.HOSTS, 8000)
    assert urls == pages.mix(160, pages.HOSTS, 8000)
    assert set(Counter(url.split("/")[2] for url in urls).values()) == {20}


def test_the_site_knows_every_kind():
    visit = site.Visit("", 0, "", pages.HOSTS[0], 8000, before=1)
    unknown = site.answer(visit)
    for name in pages.KINDS.keys() - {"not-found"}:
        assert site.answer(site.Visit(name, 0, "", visit.host, 8000, 1)) != unknown, name
