"""People of every group, for tests of what each may do."""

from collections.abc import Callable

from django.contrib.auth.models import Group, User

Member = Callable[..., User]


def member(group: str, name: str = "") -> User:
    """A person of a group that is delivered; "nobody" is in none."""
    user = User.objects.create_user(name or f"{group}-person")
    if group != "nobody":
        user.groups.add(Group.objects.get(name=group))
    # Permissions are read once for each object, and groups were just changed.
    return User.objects.get(pk=user.pk)
