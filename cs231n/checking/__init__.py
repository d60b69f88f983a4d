"""Checks of a page that do not rely on the proof engine, and of the code against the page."""
