"""What is in the database, in one word for each table."""

from collections.abc import Callable

from django.db import connection, transaction

#: Tables that a reader may change, and why.
LEFT_OUT = {
    "django_session": "messages to the reader",
    "knowledge_servicepace": "turns at services: taken in threads with connections of their own, which nothing here rolls back",
}
#: Rows of the reader's own that they may change, by what says whose they are (a column, or a query), and why.
OWN = {
    "jobs_inboxmessage": ("user_id", "what was read of one's own inbox"),
    "jobs_alertread": ("user_id", "which alerts one has read: others see theirs"),
    "knowledge_question": ("asked_by_id", "what one has asked"),
    "knowledge_answer": (
        "(SELECT asked_by_id FROM knowledge_question asked WHERE asked.id = t.question_id)",
        "what one was answered",
    ),
    "knowledge_citation": (
        "(SELECT asked_by_id FROM knowledge_question asked JOIN knowledge_answer given ON given.question_id = asked.id"
        " WHERE given.id = t.answer_id)",
        "and what that stands on",
    ),
    "knowledge_feedback": ("given_by_id", "one's own word on an answer"),
}


def checksums(*, but_of: int | None = None) -> dict[str, str]:
    """Table to a hash of all its rows; with a user, without what is their own."""
    with connection.cursor() as cursor:
        tables = [name for name in connection.introspection.table_names(cursor) if name not in LEFT_OUT]
        cursor.execute(
            " UNION ALL ".join(
                f"SELECT '{name}', coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') "
                f'FROM "{name}" t{_not_own(name, but_of)}'
                for name in tables
            )
        )
        return dict(cursor.fetchall())


def _not_own(table: str, user: int | None) -> str:
    return f" WHERE {OWN[table][0]} IS DISTINCT FROM {user}" if user is not None and table in OWN else ""


def writes() -> int:
    """How many rows this transaction has written so far: cheap to ask, and tells whether to look closer."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) FROM pg_stat_xact_user_tables"
        )
        return int(cursor.fetchone()[0])


def changed_by(act: Callable[[], object], before: dict[str, str], *, but_of: int | None = None) -> list[str]:
    """The tables that an act changes, with a user without their own rows; afterwards the database is as it was."""
    with transaction.atomic():
        written = writes()
        act()
        if writes() == written:
            return []
        after = checksums(but_of=but_of)
        transaction.set_rollback(True)
    return sorted(name for name in after if after[name] != before.get(name))
