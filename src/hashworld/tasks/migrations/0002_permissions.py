from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("tasks", "0001_initial")]

    operations = [
        migrations.AlterModelOptions(
            name="task",
            options={
                "permissions": (
                    ("kill_task", "Can kill tasks"),
                    ("retry_task", "Can retry tasks"),
                )
            },
        ),
    ]
