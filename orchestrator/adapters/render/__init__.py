"""From facts to what people read: notices (text, HTML, calendar) and the report (HTML, PDF, CSV)."""

from orchestrator.adapters.render.notices import JinjaNoticeRenderer
from orchestrator.adapters.render.report import JinjaReportRenderer

__all__ = ["JinjaNoticeRenderer", "JinjaReportRenderer"]
