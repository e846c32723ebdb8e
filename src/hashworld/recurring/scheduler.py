"""Celery's beat under leadership: of all schedulers only the master's fires, and each slot once.

What fires when is computed from the schedule alone (`slots`), by the database's time. Before a
message is published, its slot is decided in one transaction with the check of the term
(`firing.decide`), so that two masters, or one that wakes up, cannot fire a slot twice. A process
that dies between the two leaves a slot decided and not published: a recurring job's is found by
the sweep, a built-in task comes again at its next slot.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import structlog
from celery.beat import SchedulingError
from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.db.models import QuerySet
from django_celery_beat.models import PeriodicTask, PeriodicTasks
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry
from kombu.exceptions import OperationalError as BrokerError

from hashworld.nodes import clock, master, pulse
from hashworld.nodes.leadership import Candidate, TermOver
from hashworld.recurring import firing, slots, timing
from hashworld.recurring.firing import Come
from hashworld.recurring.timing import UnknownTiming
from hashworld.tasks.publisher import CONFIRM_SECONDS

log = structlog.get_logger(__name__)

#: Seconds until a standby looks again whether it leads now.
STANDBY = 0.5
#: Seconds until a master that could not do its work tries again.
AGAIN = 1.0


class Entry(ModelEntry):  # type: ignore[misc]
    """A periodic task and its next slot that is not decided."""

    def __init__(self, model: PeriodicTask, now: datetime, app: Any) -> None:
        self._timing = timing.schedule(model)
        super().__init__(model, app=app)
        self.options["confirm_timeout"] = CONFIRM_SECONDS
        if model.expire_seconds and not model.expires:
            # Told to the broker, whose clock alone counts: Celery would compare those of two
            # machines, and a node whose clock is ahead would take nothing.
            self.options["expiration"] = self.options.pop("expires")
        self._recurring_id = getattr(getattr(model, "recurring", None), "pk", None)
        self._pass(timing.begins(model, now))

    def come(self, now: datetime) -> Come | None:
        """Its last slot that has come, if any has; from then on, only later ones."""
        if self.next_slot is None or self.next_slot > now:
            return None
        after = self._after
        (slot,) = slots.newest(self._timing, after, now, 1)
        self._pass(slot)
        return Come(self.model.pk, slot, after, self.model.one_off, self._recurring_id)

    def _pass(self, slot: datetime) -> None:
        self._after = slot
        following = self._timing.next(slot)
        over = following and self.model.expires and following >= self.model.expires
        self.next_slot = None if over else following


class Scheduler(DatabaseScheduler):  # type: ignore[misc]
    """django-celery-beat's scheduler, standing by until its process is the master."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._candidate: Candidate | None = None
        self._entries: list[Entry] = []
        #: The term and the change of the schedules that the entries were read under.
        self._read_at: tuple[int, datetime | None] | None = None
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """Compete for leadership; the schedules are read when it is won."""
        self._candidate = master.start().candidate
        log.info("scheduler ready", holder=self._candidate.holder)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Fire what has come, if this process leads; the seconds until there may be more."""
        pulse.show()
        term = self._candidate.term if self._candidate else None
        if term is None:
            return STANDBY
        close_old_connections()
        try:
            return self._work(term)
        except TermOver as error:
            log.warning("fired nothing more", error=str(error))
        except (DatabaseError, InterfaceError) as error:
            log.warning("could not fire; trying again", error=str(error))
            connection.close()
        # What was being decided is not known: the cursors tell.
        self._read_at = None
        return AGAIN

    def sync(self) -> None:
        """Nothing: every decision is written when it is made."""

    def _work(self, term: int) -> float:
        changed = PeriodicTasks.last_change()
        now = clock.now()
        if self._read_at != (term, changed):
            self._entries = list(self._read(now))
            self._read_at = (term, changed)
            log.info("schedules read", term=term, schedules=len(self._entries))
        for entry in self._entries:
            if come := entry.come(now):
                self._fire(entry, come, term)
        return self._until_next(now)

    def _read(self, now: datetime) -> Iterator[Entry]:
        for model in self.enabled_models_qs():
            try:
                yield Entry(model, now, self.app)
            except (UnknownTiming, ValueError, OverflowError) as error:
                log.error("a schedule cannot be read", schedule=model.name, error=str(error))

    def enabled_models_qs(self) -> QuerySet[PeriodicTask]:
        """All that are switched on; django-celery-beat would leave out those of other hours."""
        timings = ("interval", "crontab", "clocked", "cursor", "recurring")
        tasks: QuerySet[PeriodicTask] = PeriodicTask.objects.filter(enabled=True)
        return tasks.select_related(*timings).defer("recurring__urls")

    def _fire(self, entry: Entry, come: Come, term: int) -> None:
        if not firing.decide(come, term):
            return
        try:
            self._publish(entry, come, term)
        except (SchedulingError, BrokerError) as error:
            log.error("a slot was not published", schedule=entry.name, error=str(error))
        else:
            firing.mark_published(come)

    def _publish(self, entry: Entry, come: Come, term: int) -> None:
        """Return once the broker has confirmed; never wait for long, another slot comes."""
        entry.options["headers"] |= {"slot": come.slot.isoformat(), "term": term}
        with self.app.producer_or_acquire() as producer:
            producer.connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)
            try:
                self.apply_async(entry, producer=producer, advance=False)
            except SchedulingError:
                # A confirmation that comes late must not be taken for the next message's.
                producer.connection.collect()
                raise

    def _until_next(self, now: datetime) -> float:
        coming = [entry.next_slot for entry in self._entries if entry.next_slot]
        pause: timedelta = min(coming, default=now + timedelta(days=1)) - now
        return float(min(max(pause.total_seconds(), 0.0), self.max_interval))
