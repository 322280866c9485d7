"""Measurements behind the figures of the documents: one command a figure."""
