"""All stand-ins together, for processes of their own: the nightly job end to end, chaos tests, a demonstration."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from knowledge.tests.arxiv_server import ArxivServer
from knowledge.tests.europepmc_server import EuropePmcServer
from knowledge.tests.library import Library
from knowledge.tests.ncbi_server import NcbiServer


@dataclass(frozen=True)
class Services:
    """PubMed, arXiv and Europe PMC with one library behind them, each with its own limit of requests."""

    library: Library
    ncbi: NcbiServer
    arxiv: ArxivServer
    europepmc: EuropePmcServer

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to take them for the real ones; requests to arXiv come thirty times as fast."""
        return {
            "PUBMED_URL": f"{self.ncbi.address}/entrez/eutils",
            "ARXIV_URL": f"{self.arxiv.address}/api",
            "EUROPEPMC_URL": f"{self.europepmc.address}/europepmc/webservices/rest",
            "OUTBOUND_ALLOWED_HOSTS": ",".join([self.ncbi.host, self.arxiv.host, self.europepmc.host]),
            "ARXIV_SPACING_SECONDS": "0.1",
            "KNOWLEDGE_RETRY_SECONDS": "0.05",
            "NCBI_EMAIL": "library@almanac.example",
        }


@contextmanager
def running(library: Library) -> Iterator[Services]:
    """Start all of them; they stop with the block."""
    services = Services(library, NcbiServer(library), ArxivServer(library), EuropePmcServer(library))
    services.arxiv.per_second = 10
    with ExitStack() as stack:
        for server in (services.ncbi, services.arxiv, services.europepmc):
            stack.enter_context(server.running())
        yield services
