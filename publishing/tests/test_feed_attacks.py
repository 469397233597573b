"""Documents built to hurt a reader: each must stay below one second of CPU and 64 MB of extra memory."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from publishing.feeds import FeedError, FeedTooComplex, parse
from publishing.feeds.sanitise import clean_html, plain_text

MAX_CPU_SECONDS = 1.0
MAX_EXTRA_MB = 64.0

#: Runs in a fresh process: warm up, take the peak so far, read the document, and say what that cost.
MEASURE = r"""
import json, re, sys, time
from pathlib import Path
from publishing.feeds import FeedError, parse

def peak_mb():
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024

body = Path(sys.argv[1]).read_bytes()
parse(b"<rss><channel><item><title>a</title><description>&lt;p>b&lt;/p></description></item></channel></rss>")
before = time.process_time(), peak_mb()
try:
    feed = parse(body, base_url="https://example.com/feed")
    text = " ".join([feed.title, *(item.title + item.best_html for item in feed.items)])
    outcome = {"items": len(feed.items), "text": text[:2000]}
except FeedError as error:
    outcome = {"error": type(error).__name__}
outcome["cpu_seconds"] = time.process_time() - before[0]
outcome["extra_mb"] = peak_mb() - before[1]
print(json.dumps(outcome))
"""

LAUGHS = "".join(
    f'<!ENTITY lol{n} "{f"&lol{n - 1};" * 10}">' if n else '<!ENTITY lol0 "lolololol">' for n in range(10)
)
RSS = '<?xml version="1.0"?><rss version="2.0"><channel><title>News</title>'
END = "</channel></rss>"

ATTACKS = {
    "billion laughs": f"<!DOCTYPE rss [{LAUGHS}]>\n<rss><channel><title>&lol9;</title></channel></rss>",
    "billion laughs behind a comment": (
        f"<?xml version='1.0'?><!-- <rss> -->\n<!DOCTYPE rss [{LAUGHS}]><rss><channel><title>&lol9;</title>{END}"
    ),
    "quadratic blow-up": f'<!DOCTYPE rss [<!ENTITY a "{"a" * 200_000}">]>'
    f"<rss><channel><title>{'&a;' * 2000}</title>{END}",
    "many small entities": f'<!DOCTYPE rss [<!ENTITY a "{"a" * 199}">]>'
    f"<rss><channel><title>{'&a;' * 500_000}</title>{END}",
    "external entity": '<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    f"<rss><channel><title>[&x;]</title>{END}",
    "external parameter entity": '<!DOCTYPE rss [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]>'
    f"<rss><channel><title>safe</title>{END}",
    "200,000 deep": RSS + "<a>" * 200_000 + "</a>" * 200_000 + END,
    "200,000 deep and never closed": RSS + "<item><description>" + "<b>" * 200_000,
    "deep markup in an item": f"{RSS}<item><title>t</title><description><![CDATA[{'<div>' * 200_000}x]]>"
    f"</description></item>{END}",
    "deep lists in an item": f"{RSS}<item><title>t</title><description><![CDATA[{'<ul><li>' * 100_000}x]]>"
    f"</description></item>{END}",
    "a tag with 100,000 attributes": (
        f"{RSS}<item><title>t</title><description><![CDATA[<a {' '.join(f'x{n}=1' for n in range(100_000))}>x]]>"
        f"</description></item>{END}"
    ),
    "comments that never end": RSS + "<!--" * 500_000,
    "sections that never end": RSS + "<![CDATA[" * 300_000,
    "tags that never end": RSS + "<a " * 500_000,
    "a name without an end": RSS + "<" + "a" * 3_000_000,
    "declarations that never end": RSS + "<!x" * 500_000,
    "ampersands": f"{RSS}<item><title>{'&' * 1_000_000}</title></item>{END}",
    "broken references": f"{RSS}<item><title>{'&#x' * 300_000}</title></item>",
    "a doctype that never ends": "<!DOCTYPE rss [" + '<!ENTITY a "b">' * 100_000,
    "quotes in a doctype": "<!DOCTYPE rss [" + "\"'" * 500_000,
    "a million elements": RSS + "<x/>" * 1_000_000 + END,
    "50,000 entries": RSS + "<item><title>t</title><link>http://a/b</link></item>" * 50_000 + END,
    "50,000 namespaces": "<rss " + " ".join(f'xmlns:n{n}="u{n}"' for n in range(50_000)) + "><channel/></rss>",
    "100,000 attributes": RSS + "<x " + " ".join(f'a{n}="1"' for n in range(100_000)) + "/>" + END,
    "70,000 categories": f"{RSS}<item>{''.join(f'<category>{n}</category>' for n in range(70_000))}</item>{END}",
    "deep json": '{"version":"https://jsonfeed.org/version/1.1","items":' + "[" * 200_000 + "]" * 200_000 + "}",
    "wide json": '{"version":"https://jsonfeed.org/version/1.1","items":[' + "[]," * 2_000_000 + "[]]}",
    "a huge number": '{"version":"https://jsonfeed.org/version/1.1","items":[{"id":' + "9" * 1_000_000 + "}]}",
    "spaces": " " * 15_000_000,
    "less-than signs": RSS + "<" * 2_000_000,
    "nothing but a bracket": RSS + "]]>" * 1_000_000,
}  # fmt: skip


def measured(script: str, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-c", script, *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    outcome: dict[str, Any] = json.loads(finished.stdout)
    return outcome


@pytest.mark.parametrize("attack", ATTACKS, ids=list(ATTACKS))
def test_an_attack_costs_little(tmp_path: Path, attack: str):
    document = tmp_path / "feed.xml"
    document.write_text(ATTACKS[attack])
    outcome = measured(MEASURE, str(document))
    assert outcome["cpu_seconds"] < MAX_CPU_SECONDS, outcome
    assert outcome["extra_mb"] < MAX_EXTRA_MB, outcome
    assert "root:" not in str(outcome) and "lolololollolol" not in str(outcome)


def test_a_gzip_bomb_is_stopped_while_it_is_read(httpserver: HTTPServer):
    bomb = gzip.compress(bytes(400 * 1024 * 1024), compresslevel=9)
    assert len(bomb) < 500_000
    httpserver.expect_request("/bomb").respond_with_data(bomb, headers={"Content-Encoding": "gzip"})
    outcome = measured(
        r"""
import json, re, sys, time
from pathlib import Path
from jobs.outbound import OutboundRejected, fetch
from jobs.outbound.addresses import AddressGuard

def peak_mb():
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024

guard = AddressGuard([sys.argv[2]])
fetch(sys.argv[1].replace("/bomb", "/missing"), guard=guard)
before = time.process_time(), peak_mb()
try:
    fetch(sys.argv[1], guard=guard)
    outcome = {"error": None}
except OutboundRejected as error:
    outcome = {"error": str(error)}
outcome["cpu_seconds"] = time.process_time() - before[0]
outcome["extra_mb"] = peak_mb() - before[1]
print(json.dumps(outcome))
""",
        httpserver.url_for("/bomb"),
        f"{httpserver.host}:{httpserver.port}",
    )
    assert outcome["error"] == "The answer is larger than the limit of 15,360 KiB."
    assert outcome["cpu_seconds"] < MAX_CPU_SECONDS and outcome["extra_mb"] < MAX_EXTRA_MB, outcome


def test_an_honest_doctype_is_no_reason_to_refuse_a_feed():
    """RSS 0.91 prescribed one, and small plain entities are used in the wild."""
    netscape = '<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://example.com/rss-0.91.dtd">'
    feed = parse(
        f'<?xml version="1.0"?>\n{netscape}\n<rss version="0.91"><channel><title>Old</title>{END}'.encode()
    )
    assert (feed.title, feed.format) == ("Old", "rss")
    own = '<!DOCTYPE rss [ <!-- it\'s ours > --> <!ENTITY nbsp "&#160;"><!ENTITY c "(C) 2026"> ]>'
    feed = parse(f"{own}<rss><channel><title>a&nbsp;b &c;</title>{END}".encode())
    assert feed.title == "a b (C) 2026"


def test_external_entities_are_never_read(tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    doctype = f'<!DOCTYPE rss [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'
    feed = parse(f"{doctype}<rss><channel><title>[&x;]</title>{END}".encode())
    assert "secret" not in feed.title


def test_too_deep_a_document_is_refused_with_a_reason():
    with pytest.raises(FeedTooComplex, match="deeper than 256"):
        parse((RSS + "<a>" * 300 + "</a>" * 300 + END).encode())


def test_only_the_first_entries_of_a_huge_feed_are_read():
    feed = parse((RSS + "".join(f"<item><guid>{n}</guid></item>" for n in range(1000)) + END).encode())
    assert [item.guid for item in feed.items] == [str(n) for n in range(300)]
    assert feed.is_cut
    whole = parse((RSS + "".join(f"<item><guid>{n}</guid></item>" for n in range(300)) + END).encode())
    assert len(whole.items) == 300 and not whole.is_cut


def test_a_document_that_breaks_off_still_gives_its_first_items():
    feed = parse((RSS + "<item><title>one</title></item><item><title>two</title><!-- and then").encode())
    assert [item.title for item in feed.items] == ["one", "two"]


def test_markup_too_deep_for_a_tree_becomes_text():
    assert clean_html("<div>" * 1000 + "still &amp; here" + "</div>" * 1000) == "still &amp; here"
    assert plain_text("<div>" * 1000 + "still &amp; here") == "still & here"


@pytest.mark.parametrize(
    "body", [b"", b"\0" * 100, b"plain words", b"<html><body>Hi</body></html>", b"{", b"[]", b"{}"]
)
def test_what_is_no_feed_is_refused_with_a_typed_error(body: bytes):
    with pytest.raises(FeedError):
        parse(body)
