"""Settings that do not fit together, as Django system checks.

hashworld.E001  the lease is too short for the heartbeat
hashworld.E002  a network to allow, to deny or to trust is not a network
hashworld.E003  the database is a file, but the broker is a server
hashworld.W001  fetches may reach networks that are not public
"""

from collections.abc import Iterable
from ipaddress import ip_network
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

#: A lease must outlive so many heartbeats, so that one that is late loses nothing.
BEATS_PER_LEASE = 2


@register()
def lease_outlives_heartbeats(**_: Any) -> Iterable[CheckMessage]:
    """E001."""
    env = settings.ENV
    if env.lease_seconds < BEATS_PER_LEASE * env.heartbeat_seconds:
        yield Error(
            f"HASHWORLD_LEASE_SECONDS ({env.lease_seconds:g}) must be at least"
            f" {BEATS_PER_LEASE} times HASHWORLD_HEARTBEAT_SECONDS ({env.heartbeat_seconds:g}).",
            hint="One heartbeat that comes late would make a healthy node look dead.",
            id="hashworld.E001",
        )


@register()
def networks_are_networks(**_: Any) -> Iterable[CheckMessage]:
    """E002."""
    env = settings.ENV
    for variable, networks in (
        ("HASHWORLD_FETCH_ALLOW_NETWORKS", env.fetch_allow_networks),
        ("HASHWORLD_FETCH_DENY_NETWORKS", env.fetch_deny_networks),
        ("DJANGO_TRUSTED_PROXIES", env.trusted_proxies),
    ):
        for network in networks:
            try:
                ip_network(network)
            except ValueError as error:
                yield Error(
                    f"{variable}: {error}.",
                    hint="Give networks as 10.1.0.0/16 or 2001:db8::/32, separated by commas.",
                    id="hashworld.E002",
                )


@register()
def broker_and_database_fit(**_: Any) -> Iterable[CheckMessage]:
    """E003."""
    env = settings.ENV
    if env.database_url.startswith("sqlite") and not env.broker_url.startswith("hashworld:"):
        yield Error(
            "CELERY_BROKER_URL names a server, but the database is a file of this machine.",
            hint="Set DATABASE_URL (or MYSQL_HOST) as well, or leave both unset.",
            id="hashworld.E003",
        )


@register(Tags.security, deploy=True)
def fetches_stay_public(**_: Any) -> Iterable[CheckMessage]:
    """W001."""
    if settings.ENV.fetch_allow_networks:
        yield Warning(
            "HASHWORLD_FETCH_ALLOW_NETWORKS lets fetches reach networks that are not public.",
            hint="Anyone who may hand in URLs can then read what is served there.",
            id="hashworld.W001",
        )
