"""People of every group, for tests of what each may do."""

from collections.abc import Callable

from django.contrib.auth.models import Group, User
from django.core.management import call_command

Member = Callable[..., User]

#: The ids of the permissions of each group that is delivered, once they were loaded.
_delivered: dict[str, list[int]] = {}


def make_groups() -> None:
    """Load the groups that are delivered; all but the first time in three statements.

    Django asks for every permission of a fixture by itself, and the ids of permissions stay.
    """
    if not _delivered:
        call_command("loaddata", "init.json", verbosity=0)
        for group in Group.objects.prefetch_related("permissions"):
            _delivered[group.name] = [permission.pk for permission in group.permissions.all()]
        return
    Group.objects.bulk_create([Group(name=name) for name in _delivered])
    groups = Group.objects.in_bulk(_delivered, field_name="name")
    Held = Group.permissions.through
    Held.objects.bulk_create(
        [
            Held(group=groups[name], permission_id=permission)
            for name, permissions in _delivered.items()
            for permission in permissions
        ]
    )


def member(group: str, name: str = "") -> User:
    """A person of a group that is delivered; "nobody" is in none."""
    user = User.objects.create_user(name or f"{group}-person")
    if group != "nobody":
        user.groups.add(Group.objects.get(name=group))
    # Permissions are read once for each object, and groups were just changed.
    return User.objects.get(pk=user.pk)
