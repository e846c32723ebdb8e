"""An index of the jobs whose submission is under way or was cut off: it is asked each second."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Only adds; an older version works on with it."""

    dependencies = [
        ("tasks", "0006_one_sweep"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name="job",
            index=models.Index(fields=["sealed_at", "touched_at"], name="job_unsealed"),
        ),
    ]
