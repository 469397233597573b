import pytest

from chat.tests.model_server import ModelServer, Script


@pytest.fixture
def model_server(settings):
    """Starts a server with a script; it may be asked although it is on this machine."""
    running = []

    def start(*script: Script) -> ModelServer:
        context = ModelServer(*script).running()
        server = context.__enter__()
        running.append(context)
        settings.OUTBOUND_ALLOWED_HOSTS = [*settings.OUTBOUND_ALLOWED_HOSTS, server.host]
        return server

    yield start
    for context in running:
        context.__exit__(None, None, None)
