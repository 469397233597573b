"""Articles to write digests of: made up, the same for the same number, about eight subjects."""

import random
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

from publishing.writers import Item

_SUBJECTS = {
    "harbour ferry": "ferry harbour captain pier timetable island crossing passengers lighthouse tide quay dock",
    "city tram": "tram conductor rails depot ticket junction platform signal timetable commuter cable wagon",
    "apple orchard": "orchard apple blossom grafting pruning harvest cider beekeeper frost ladder basket rootstock",
    "comet survey": "comet telescope observatory orbit astronomer meteor eclipse spectrum galaxy mirror dome lens",
    "village bakery": "bakery flour oven sourdough loaf baker yeast rye dough crust mill pastry",
    "river flood": "river flood levee gauge rainfall dam sandbag forecast basin valley meadow spillway",
    "school library": "library pupils teacher shelf novel reading catalogue classroom librarian poetry desk lesson",
    "wind turbine": "turbine blade generator grid megawatt gearbox tower foundation crane inverter voltage battery",
}
_FRAMES = (
    "The {a} of the {b} was repaired in {month} after the {c} had been closed for {n} days.",
    "Engineers who looked at the {a} found that the {b} had moved {n} centimetres since {month}.",
    "About {n} people came to see the {a}, and most of them stayed for the {b} as well.",
    "In {month} the council agreed to pay for a {a} that stands beside the {b} and the {c}.",
    "Nobody who knows the {a} was surprised that the {b} needed {n} weeks of work.",
    "Visitors will find the {a} next to the {b}, where the {c} used to be until {month}.",
    "The {c} remains open while the {a} and the {b} are measured again for {n} days.",
    "A report of {n} pages says that the {a} has served the {b} well since {month}.",
)
_MONTHS = ["January", "March", "May", "July", "September", "November"]
NEWEST = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def article(number: int, *, sentences: int = 12, paragraph: int = 3) -> Item:
    """The article of that number; its neighbours are about other subjects."""
    chance = random.Random(number)
    name = list(_SUBJECTS)[number % len(_SUBJECTS)]
    nouns = _SUBJECTS[name].split()
    told = []
    for _ in range(sentences):
        a, b, c = chance.sample(nouns, 3)
        frame = chance.choice(_FRAMES)
        told.append(frame.format(a=a, b=b, c=c, n=chance.randint(3, 900), month=chance.choice(_MONTHS)))
    paragraphs = [" ".join(told[at : at + paragraph]) for at in range(0, len(told), paragraph)]
    return Item(
        id=number,
        title=f"What the {name} tells about the {chance.choice(nouns)} in {2000 + number}",
        url=f"https://source-{number % 5}.example/{number}",
        source_name=f"Source {number % 5}",
        published_at=NEWEST - timedelta(hours=7 * number),
        html="".join(f"<p>{text}</p>" for text in paragraphs),
    )


def articles(count: int) -> tuple[Item, ...]:
    return tuple(article(number) for number in range(1, count + 1))


class Page(HTMLParser):
    """What a reader finds on a page, read without any of our own code."""

    def __init__(self, html: str) -> None:
        super().__init__()
        #: Address and text of each quoted sentence.
        self.quotations: list[tuple[str, str]] = []
        #: Level and text of each heading.
        self.headings: list[tuple[str, str]] = []
        self.links: list[tuple[str, str]] = []
        self.blocks: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[tuple[str, dict[str, str | None]]] = []
        self._text = ""
        self._link = ""
        self.feed(html)
        self.close()
        assert self._open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append((tag, dict(attrs)))
        if tag in {"p", "h2", "h3", "li", "figcaption"}:
            self._text = ""
        if tag == "a":
            self._link = ""

    def handle_data(self, data: str) -> None:
        self._text += data
        self._link += data

    def handle_endtag(self, tag: str) -> None:
        opened, attributes = self._open.pop()
        assert opened == tag, "elements are closed in their order"
        if tag in {"p", "h2", "h3", "li", "figcaption"}:
            self.blocks.append(self._text)
        if tag in {"h2", "h3"}:
            self.headings.append((tag, self._text))
        if tag == "a":
            self.links.append((attributes.get("href") or "", self._link))
        if tag == "p" and self._open and self._open[-1][0] == "blockquote":
            self.quotations.append((self._open[-1][1].get("cite") or "", self._text))

    @property
    def words(self) -> int:
        return sum(len(block.split()) for block in self.blocks)
