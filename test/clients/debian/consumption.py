"""What arrived, in one shape for every Python client."""

from dataclasses import dataclass, field
from typing import Any, Optional


@dataclass
class Received:
    body: bytes
    properties: dict
    exchange: str
    routing_key: str
    delivery_tag: int
    redelivered: bool
    consumer_tag: Optional[str] = None
    message_count: Optional[int] = None


@dataclass
class Consumption:
    tag: Any = None
    messages: list = field(default_factory=list)
    cancelled: bool = False

    def bodies(self):
        return [message.body for message in self.messages]
