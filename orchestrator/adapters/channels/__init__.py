"""Ways to hand over a message, one room per technology. The rooms do not know each other; this is the list of them."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from orchestrator.adapters.channels.settings import ChannelSettings
from orchestrator.application.errors import ConfigurationError
from orchestrator.application.ports import Channel

__all__ = ["CHANNELS", "ChannelSettings", "build_channel"]


def _smtp(settings: ChannelSettings) -> Channel:
    from orchestrator.adapters.channels.smtp import SmtpChannel, SmtpServer

    return SmtpChannel(settings.name, SmtpServer.parse(settings))


def _files(settings: ChannelSettings) -> Channel:
    from orchestrator.adapters.channels.files import FilesChannel

    return FilesChannel(settings.name, settings.target)


CHANNELS: MappingProxyType[str, Callable[[ChannelSettings], Channel]] = MappingProxyType({"smtp": _smtp, "files": _files})
"""Kind → builder. A new room adds its line here and one harness in tests/unit/channels/test_channel_contract.py."""


def build_channel(settings: ChannelSettings) -> Channel:
    """Build the channel these settings describe; nothing is connected or written yet.

    Raises:
        ConfigurationError: The kind is unknown, or its target cannot be used.
    """
    try:
        build = CHANNELS[settings.kind]
    except KeyError:
        known = ", ".join(CHANNELS)
        raise ConfigurationError(f'channel "{settings.name}": there is no kind "{settings.kind}". Known: {known}.') from None
    return build(settings)
