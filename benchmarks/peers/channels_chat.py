"""A room as everybody builds it with Django Channels: a group over channels_redis, under daphne."""

import os

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="nothing is signed here",
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["channels"],
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            # As delivered a full channel drops what comes, and a read of a channel that is quiet
            # for five seconds fails with redis-py 8; here neither happens.
            "CONFIG": {
                "hosts": [{"address": os.environ["CHAT_REDIS_URL"], "socket_timeout": 60}],
                "capacity": 100_000,
            },
        }
    },
)
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402

ROOM = "lobby"


class RoomConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """The consumer of the tutorial."""

    async def connect(self) -> None:
        await self.channel_layer.group_add(ROOM, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(ROOM, self.channel_name)

    async def receive(self, text_data: str) -> None:
        await self.channel_layer.group_send(ROOM, {"type": "room.message", "text": text_data})

    async def room_message(self, event: dict[str, str]) -> None:
        await self.send(text_data=event["text"])


application = ProtocolTypeRouter({"websocket": URLRouter([path("ws/", RoomConsumer.as_asgi())])})
