"""The stand-ins of services, and settings that lead to them."""

from collections.abc import Iterator
from typing import Any

import pytest

from knowledge.tests.arxiv_server import ArxivServer
from knowledge.tests.europepmc_server import EuropePmcServer
from knowledge.tests.library import Library
from knowledge.tests.ncbi_server import NcbiServer


@pytest.fixture
def library() -> Library:
    return Library()


@pytest.fixture
def quickly(settings: Any) -> None:
    """Services are asked as fast as they answer, and again at once."""
    settings.PUBMED_SPACING_SECONDS = settings.ARXIV_SPACING_SECONDS = 0.001
    settings.EUROPEPMC_SPACING_SECONDS = settings.FEEDS_SPACING_SECONDS = 0.001
    settings.KNOWLEDGE_RETRY_SECONDS = 0.01
    settings.NCBI_EMAIL = "library@almanac.example"


@pytest.fixture
def ncbi(library: Library, settings: Any, quickly: None) -> Iterator[NcbiServer]:
    """Without its limit of requests; tests of the limit set it."""
    with NcbiServer(library).running() as server:
        server.per_second = 0
        settings.PUBMED_URL = f"{server.address}/entrez/eutils"
        settings.OUTBOUND_ALLOWED_HOSTS = [*settings.OUTBOUND_ALLOWED_HOSTS, server.host]
        yield server


@pytest.fixture
def arxiv(library: Library, settings: Any, quickly: None) -> Iterator[ArxivServer]:
    """Without its limit of requests; tests of the limit set it."""
    with ArxivServer(library).running() as server:
        server.per_second = 0
        settings.ARXIV_URL = f"{server.address}/api"
        settings.OUTBOUND_ALLOWED_HOSTS = [*settings.OUTBOUND_ALLOWED_HOSTS, server.host]
        yield server


@pytest.fixture
def europepmc(library: Library, settings: Any, quickly: None) -> Iterator[EuropePmcServer]:
    with EuropePmcServer(library).running() as server:
        settings.EUROPEPMC_URL = f"{server.address}/europepmc/webservices/rest"
        settings.OUTBOUND_ALLOWED_HOSTS = [*settings.OUTBOUND_ALLOWED_HOSTS, server.host]
        yield server
