"""The Django app of the webhooks."""

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    """Webhooks, their messages, and the log of every delivery."""

    name = "hashworld.webhooks"
    label = "webhooks"
    verbose_name = "Webhooks"

    def ready(self) -> None:
        """Let single tasks be told of where a webhook wants them."""
        from hashworld.tasks import events
        from hashworld.webhooks.models import Webhook

        events.listen_by(Webhook.objects.listeners)
