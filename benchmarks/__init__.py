"""Figures that the README quotes, each by one command; see README.md here."""
