"""Packages of ``edge`` by version."""
