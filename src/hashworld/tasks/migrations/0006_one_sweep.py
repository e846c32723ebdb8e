"""The sweep `dispatch` carries out what was asked of jobs; the schedule `intents` did it again."""

from typing import Any

from django.db import migrations


def forget(apps: Any, schema_editor: Any) -> None:
    """Take the schedule away; its task is gone."""
    tasks = apps.get_model("django_celery_beat", "PeriodicTask").objects
    tasks.filter(name="intents", task="hashworld.carry_out").delete()


class Migration(migrations.Migration):
    """Data only; there is nothing to undo: `initschedules` of an older version makes it again."""

    dependencies = [
        ("tasks", "0005_events"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(forget, migrations.RunPython.noop)]
