"""Mail over SMTP."""

from orchestrator.adapters.channels.smtp.channel import SmtpChannel
from orchestrator.adapters.channels.smtp.server import Security, SmtpServer

__all__ = ["Security", "SmtpChannel", "SmtpServer"]
