"""Reports: one self-contained HTML page (or Markdown, or JSON) of a plain run, or of a benchmark run."""

from clave.report.evaluation import write_report
from clave.report.notebook import show_report

__all__ = ["show_report", "write_report"]
