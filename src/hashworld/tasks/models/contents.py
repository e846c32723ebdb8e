"""Contents: bodies that are kept, and where."""

from django.db import models


class Content(models.Model):
    """A fetched body, kept once per SHA-256; `store` and the place say where its bytes are."""

    sha256 = models.CharField(max_length=64, unique=True)
    size = models.PositiveBigIntegerField(help_text="Bytes of the body.")
    stored = models.PositiveBigIntegerField(help_text="Bytes as kept, compressed.")
    store = models.CharField(max_length=8)
    pack = models.CharField(max_length=100, blank=True)
    offset = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.sha256[:12]


class Blob(models.Model):
    """The compressed bytes of a content that is kept in the database."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    data = models.BinaryField()

    def __str__(self) -> str:
        return self.sha256[:12]


class Pack(models.Model):
    """What is dead in a pack: a hint of where space can be won back."""

    name = models.CharField(max_length=100, primary_key=True)
    dead = models.PositiveBigIntegerField(
        default=0, help_text="Bytes that no content names, as far as is known."
    )
    surveyed_at = models.DateTimeField(null=True, help_text="When its records were looked up.")

    def __str__(self) -> str:
        return self.name
