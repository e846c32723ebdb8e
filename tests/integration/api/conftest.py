"""People of every group, and tokens of theirs."""

from tests.integration.verbs.conftest import alice, bob, hers, his, operator, person

__all__ = ["alice", "bob", "hers", "his", "operator", "person"]
