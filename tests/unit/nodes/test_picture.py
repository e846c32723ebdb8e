"""The lands as text."""

from hashworld.nodes.picture import shares, world


def test_the_map_has_a_letter_for_each_land_in_order() -> None:
    owners = {land: ("one", "two", None)[land % 3] for land in range(128)}
    assert world(owners, {"one": 1, "two": 1}) == "\n".join(
        (
            "AB.AB.AB.AB.AB.AB.AB.AB.AB.AB.AB.AB.AB.AB.AB.AB.AB.AB.AB.AB.AB.A",
            "B.AB.AB.AB.AB.AB.AB.AB.AB.AB.AB.AB.AB.AB.AB.AB.AB.AB.AB.AB.AB.AB",
        )
    )


def test_each_node_is_shown_with_its_share_of_the_weights_and_how_far_it_is_from_it() -> None:
    owners: dict[int, str | None] = {land: "small" if land < 30 else "large" for land in range(100)}
    assert shares(owners, {"small": 100, "large": 300}).splitlines() == [
        "A large    70 lands, ideal   75.0   -6.7 % ########################",
        "B small    30 lands, ideal   25.0  +20.0 % ##########",
    ]


def test_those_that_are_gone_and_those_that_own_nothing_yet_are_shown_too() -> None:
    owners: dict[int, str | None] = {0: "gone", 1: "gone", 2: "gone", 3: None}
    assert shares(owners, {"new": 8}).splitlines() == [
        "A gone      3 lands not alive              ########################",
        "B new       0 lands, ideal    4.0 -100.0 %",
        ". nobody    1 lands not alive              ########",
    ]


def test_the_letters_of_map_and_list_are_the_same_and_may_run_out() -> None:
    owners: dict[int, str | None] = {land: f"n{land:02}" for land in range(64)}
    weights = dict.fromkeys(map(str, owners.values()), 1)
    listed = "".join(line[0] for line in shares(owners, weights).splitlines())
    assert listed == world(owners, weights)
    assert listed.endswith("89**")
