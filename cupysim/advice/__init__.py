"""Warnings about images: quirks that have an effect, and likely reasons of empty images."""
