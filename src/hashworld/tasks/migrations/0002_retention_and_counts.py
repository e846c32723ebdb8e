from datetime import UTC, datetime

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def count_what_is_kept(apps, schema_editor):
    """The bodies that were kept before they were counted stand under the beginning of time."""
    contents = apps.get_model("tasks", "Content").objects
    sums = contents.aggregate(number=models.Count("id"), bytes=models.Sum("stored"))
    if sums["number"]:
        beginning = datetime(1970, 1, 1, tzinfo=UTC)
        apps.get_model("tasks", "Hour").objects.create(kind="kept", hour=beginning, **sums)


class Migration(migrations.Migration):

    dependencies = [
        ('nodes', '0001_initial'),
        ('tasks', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.DeleteModel(
            name='Minute',
        ),
        migrations.CreateModel(
            name='Minute',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(help_text='How a try ended, or what else is counted.', max_length=24)),
                ('number', models.PositiveBigIntegerField(default=0)),
                ('bytes', models.PositiveBigIntegerField(default=0)),
                ('milliseconds', models.PositiveBigIntegerField(default=0)),
                ('ms_10', models.PositiveBigIntegerField(default=0)),
                ('ms_25', models.PositiveBigIntegerField(default=0)),
                ('ms_50', models.PositiveBigIntegerField(default=0)),
                ('ms_100', models.PositiveBigIntegerField(default=0)),
                ('ms_250', models.PositiveBigIntegerField(default=0)),
                ('ms_500', models.PositiveBigIntegerField(default=0)),
                ('ms_1000', models.PositiveBigIntegerField(default=0)),
                ('ms_2500', models.PositiveBigIntegerField(default=0)),
                ('ms_5000', models.PositiveBigIntegerField(default=0)),
                ('ms_10000', models.PositiveBigIntegerField(default=0)),
                ('ms_30000', models.PositiveBigIntegerField(default=0)),
                ('ms_more', models.PositiveBigIntegerField(default=0)),
                ('minute', models.DateTimeField()),
                ('node', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, to='nodes.node')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('minute', 'node', 'kind'), name='minute_once')],
            },
        ),
        migrations.CreateModel(
            name='Hour',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(help_text='How a try ended, or what else is counted.', max_length=24)),
                ('number', models.PositiveBigIntegerField(default=0)),
                ('bytes', models.PositiveBigIntegerField(default=0)),
                ('milliseconds', models.PositiveBigIntegerField(default=0)),
                ('ms_10', models.PositiveBigIntegerField(default=0)),
                ('ms_25', models.PositiveBigIntegerField(default=0)),
                ('ms_50', models.PositiveBigIntegerField(default=0)),
                ('ms_100', models.PositiveBigIntegerField(default=0)),
                ('ms_250', models.PositiveBigIntegerField(default=0)),
                ('ms_500', models.PositiveBigIntegerField(default=0)),
                ('ms_1000', models.PositiveBigIntegerField(default=0)),
                ('ms_2500', models.PositiveBigIntegerField(default=0)),
                ('ms_5000', models.PositiveBigIntegerField(default=0)),
                ('ms_10000', models.PositiveBigIntegerField(default=0)),
                ('ms_30000', models.PositiveBigIntegerField(default=0)),
                ('ms_more', models.PositiveBigIntegerField(default=0)),
                ('hour', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='Pack',
            fields=[
                ('name', models.CharField(max_length=100, primary_key=True, serialize=False)),
                ('dead', models.PositiveBigIntegerField(default=0, help_text='Bytes that no content names, as far as is known.')),
                ('surveyed_at', models.DateTimeField(help_text='When its records were looked up.', null=True)),
            ],
        ),
        migrations.AddField(
            model_name='job',
            name='keep_days',
            field=models.PositiveSmallIntegerField(blank=True, help_text='Days it is kept after its end; 0 for ever.', null=True),
        ),
        migrations.AddField(
            model_name='job',
            name='removal_began_at',
            field=models.DateTimeField(db_index=True, editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(fields=['keep_days', 'finished_at'], name='job_keep'),
        ),
        migrations.AddConstraint(
            model_name='hour',
            constraint=models.UniqueConstraint(fields=('hour', 'kind'), name='hour_once'),
        ),
        migrations.RunPython(count_what_is_kept, migrations.RunPython.noop),
    ]
