from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashworld.fetcher.address import AddressPolicy

PUBLIC = AddressPolicy()

# By class, from the IANA registries and RFC 6890; the ends of a range count as much as its middle.
REFUSED_RANGES = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/128",
    "::1/128",
    "::/96",  # IPv4-compatible
    "::ffff:0:0/96",  # IPv4-mapped
    "::ffff:0:0:0/96",  # IPv4-translated
    "64:ff9b::/96",  # NAT64
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "2001::/32",  # Teredo
    "2001:2::/48",
    "2001:10::/28",
    "2001:20::/28",
    "2001:db8::/32",
    "2002::/16",  # 6to4
    "2620:4f:8000::/48",
    "3fff::/20",
    "4000::/3",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
]
METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "192.0.0.192",
    "168.63.129.16",
    "100.100.100.200",
    "fd00:ec2::254",
    "fd20:ce::254",
]
LOOPBACK_EMBEDDED = [
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::7f00:1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
]


@pytest.mark.parametrize("text", REFUSED_RANGES)
def test_every_special_range_is_refused_from_end_to_end(text):
    network = ip_network(text)
    middle = network[network.num_addresses // 2]
    assert all(PUBLIC.refusal(str(ip)) for ip in (network[0], middle, network[-1]))


@given(st.sampled_from(REFUSED_RANGES), st.integers(min_value=0))
def test_no_address_of_a_special_range_gets_through(text, offset):
    network = ip_network(text)
    assert PUBLIC.refusal(str(network[offset % network.num_addresses]))


@pytest.mark.parametrize("address", METADATA)
def test_cloud_metadata_is_refused_by_that_name(address):
    assert "cloud metadata" in PUBLIC.refusal(address)


@pytest.mark.parametrize("address", LOOPBACK_EMBEDDED)
def test_an_ipv6_address_that_embeds_ipv4_is_refused(address):
    assert PUBLIC.refusal(address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "168.63.129.17",
        "2001:200::1",
        "2001:db7:ffff::1",
        "2606:4700::1111",
        "2a00::1",
    ],
)
def test_public_unicast_next_to_a_special_range_is_let_through(address):
    assert PUBLIC.refusal(address) is None


@pytest.mark.parametrize(
    "address", ["", "localhost", "127.1", "0177.0.0.1", "2130706433", "1.2.3", "1.2.3.4.5", "::g"]
)
def test_what_is_no_address_is_refused(address):
    assert PUBLIC.refusal(address) == "not an IP address"


@pytest.mark.parametrize("address", ["fe80::1%eth0", "2606:4700::1111%1"])
def test_a_zone_id_is_refused(address):
    assert PUBLIC.refusal(address) == "it has a zone id"


def test_the_reason_names_the_range():
    assert PUBLIC.refusal("127.0.0.1") == "in 127.0.0.0/8 (loopback)"
    assert PUBLIC.refusal("4000::1") == "outside 2000::/3 (global unicast)"


def test_an_allowed_network_wins_over_the_built_in_list():
    policy = AddressPolicy(allow=("127.0.0.0/8", "fd00:1::/32"))
    assert policy.refusal("127.0.0.1") is None
    assert policy.refusal("fd00:1::1") is None
    assert policy.refusal("10.0.0.1")


def test_a_denied_network_wins_over_all():
    policy = AddressPolicy(allow=("0.0.0.0/0",), deny=("127.0.0.1/32", "1.1.1.0/24"))
    assert policy.refusal("127.0.0.1") == "in 127.0.0.1/32 (denied by configuration)"
    assert policy.refusal("1.1.1.1")
    assert policy.refusal("127.0.0.2") is None


def test_a_mapped_address_is_no_way_round_a_denied_one():
    policy = AddressPolicy(allow=("::/0",), deny=("127.0.0.0/8",))
    assert policy.refusal("::ffff:127.0.0.1")


@pytest.mark.parametrize("field", ["allow", "deny"])
def test_what_is_no_network_is_refused_by_the_name_of_its_list(field):
    with pytest.raises(ValueError, match=f"{field}: .*10.0.0.1/8"):
        AddressPolicy(**{field: ("10.0.0.1/8",)})
