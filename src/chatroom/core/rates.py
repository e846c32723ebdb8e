"""Token buckets, one for each key."""

from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """Holds `burst` at most and gains `rate` a second; times are monotonic seconds."""

    rate: float
    burst: float
    level: float
    at: float

    def take(self, now: float) -> float:
        """Take one; 0, or how many seconds to wait until there is one."""
        self.level = min(self.burst, self.level + (now - self.at) * self.rate)
        self.at = now
        if self.level >= 1:
            self.level -= 1
            return 0.0
        return (1 - self.level) / self.rate

    def is_full(self, now: float) -> bool:
        """Whether it has forgotten everything."""
        return self.level + (now - self.at) * self.rate >= self.burst


class Rates:
    """The buckets of many keys; those that are full again are forgotten."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: dict[object, Bucket] = {}

    def take(self, key: object, now: float) -> float:
        """As `Bucket.take`, of this key's bucket."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(self._rate, self._burst, self._burst, now)
        return bucket.take(now)

    def forget(self, now: float) -> None:
        """Drop the buckets that are full."""
        for key in [key for key, bucket in self._buckets.items() if bucket.is_full(now)]:
            del self._buckets[key]

    def __len__(self) -> int:
        return len(self._buckets)
