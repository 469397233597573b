"""What search engines and readers make of one post: plain values in, frozen dataclasses out.

Everything here is pure: no network, no database, no clock.
"""
