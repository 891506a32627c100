"""Messages as files: one maildir per recipient, for dry runs and for looking at what would be sent."""

from orchestrator.adapters.channels.files.channel import FilesChannel

__all__ = ["FilesChannel"]
