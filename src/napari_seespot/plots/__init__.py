"""Plots that docks share; each only supplies its data to a thin base."""
