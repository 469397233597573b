"""Which network addresses an outgoing request may connect to."""

import ipaddress
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from functools import lru_cache

from jobs.outbound.errors import OutboundRejected, OutboundUnavailable

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
#: Gives the addresses of a name, as text. Replaceable, so that tests can play a hostile name server.
Resolver = Callable[[str, int], Sequence[str]]

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@lru_cache(maxsize=1)
def _lookups(process_id: int) -> ThreadPoolExecutor:
    """Threads to ask the system resolver from, which has no time limit of its own. They do not survive a fork."""
    return ThreadPoolExecutor(max_workers=16, thread_name_prefix=f"name-lookup-{process_id}")


def system_resolver(host: str, port: int) -> list[str]:
    """The addresses the operating system knows for the name, in its order of preference, each once."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: IPAddress) -> bool:
    """Whether the address, and every IPv4 address embedded in it, belongs to the public internet."""
    return all(_is_public_alone(candidate) for candidate in _with_embedded(address))


def _is_public_alone(address: IPAddress) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and (address in _NAT64 or address.ipv4_mapped is not None):
        return True  # judged by the IPv4 address inside
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not address.is_unspecified
        and not address.is_loopback
        and not address.is_link_local
        and not (isinstance(address, ipaddress.IPv6Address) and address.is_site_local)
    )


def _with_embedded(address: IPAddress) -> Iterator[IPAddress]:
    yield address
    if isinstance(address, ipaddress.IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if address in _NAT64:
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


class AddressGuard:
    """Resolves names and lets only permitted addresses through."""

    def __init__(self, allowed_hosts: Sequence[str] = (), resolver: Resolver = system_resolver) -> None:
        """`allowed_hosts` are `host:port` entries that may be private."""
        self._allowed = {entry.lower() for entry in allowed_hosts}
        self._resolver = resolver

    def addresses(self, host: str, port: int, timeout: float | None = None) -> list[str]:
        """The checked addresses of the host, best first.

        Raises OutboundUnavailable when the name cannot be resolved now, OutboundRejected when it resolves to
        nothing that may be reached.
        """
        found = [ipaddress.ip_address(text.partition("%")[0]) for text in self._resolve(host, port, timeout)]
        if self._is_allowed(host, port):
            return [str(address) for address in found]
        public = [str(address) for address in found if is_public(address)]
        if not public:
            raise OutboundRejected(
                f"{host} is an address of a private or reserved network, which is not allowed."
            )
        return public

    def _is_allowed(self, host: str, port: int) -> bool:
        name = f"[{host}]" if ":" in host else host
        return f"{name}:{port}".lower() in self._allowed

    def _resolve(self, host: str, port: int, timeout: float | None) -> Sequence[str]:
        lookup = _lookups(os.getpid()).submit(self._resolver, host, port)
        try:
            found = lookup.result(timeout)
        except FutureTimeout as error:
            lookup.cancel()
            raise OutboundUnavailable(f"The name {host} could not be resolved in time.") from error
        except (OSError, UnicodeError) as error:
            raise OutboundUnavailable(f"The name {host} could not be resolved.") from error
        if not found:
            raise OutboundUnavailable(f"The name {host} has no address.")
        return found
