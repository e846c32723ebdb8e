"""When a periodic task was changed, by the cluster's clock (contract C4).

django-celery-beat notes it by the clock of whoever edits, be that the admin or a command. Slots
before that moment are not wanted, and they are counted by the database's clock: an editor ten
minutes ahead would lose ten minutes of slots, one behind would have old ones fired.
"""

from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver
from django_celery_beat.models import PeriodicTask

from hashworld.nodes import clock


@receiver(post_save, sender=PeriodicTask)
def stamp(instance: PeriodicTask, *, raw: bool = False, **_: Any) -> None:
    """Put the database's time in the place of the editor's; fixtures come with their own."""
    if not raw:
        instance.date_changed = clock.now()
        same = PeriodicTask.objects.filter(pk=instance.pk)
        same.update(date_changed=instance.date_changed)
