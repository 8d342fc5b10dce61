"""What this machine has of what gpuconv can use: one finding each, and what to do about it."""

from .finding import Finding as Finding
from .report import Report as Report
from .report import examine as examine
