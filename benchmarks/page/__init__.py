"""The report: one HTML file that needs nothing else."""

from .report import page as page
