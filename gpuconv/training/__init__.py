"""Optimisers, schedules, steps and the trainer."""
