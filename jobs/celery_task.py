from celery import Task


class LedgerTask(Task):
    abstract = True
