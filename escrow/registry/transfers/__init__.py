"""Suspense money that two operators pay out."""
