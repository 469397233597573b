"""Rows of the database in binary, for answers with long lists and many vectors."""

from collections.abc import Mapping
from typing import Any

import psycopg
from django.db import connection


def binary_rows(statement: str, parameters: Mapping[str, Any]) -> list[Any]:
    """What a statement gives, in the transaction of Django's connection.

    Django's own cursors ask for text. Postings of common words take six times as long that way.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, parameters, binary=True)
        rows: list[Any] = cursor.fetchall()
    return rows
