"""The few words of a digest that are its own, per language. They state counts, dates and names, nothing else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from publishing.languages import language_code

#: No more sources are named in the introduction.
_MOST_NAMES = 5


def _one_or_many(count: int) -> int:
    return 0 if count == 1 else 1


def _french(count: int) -> int:
    return 0 if count < 2 else 1


def _polish(count: int) -> int:
    if count == 1:
        return 0
    return 1 if count % 10 in {2, 3, 4} and count % 100 not in {12, 13, 14} else 2


@dataclass(frozen=True)
class Phrases:
    """One language's templates. Every count has a form for each plural of the language."""

    code: str
    plural: Callable[[int], int]
    articles: tuple[str, ...]
    #: After "from".
    sources: tuple[str, ...]
    articles_from_sources: str
    introduction: str
    published_on: str
    published_between: str
    verbatim: str
    sources_heading: str
    conjunction: str
    more_names: tuple[str, ...]
    #: With day, month and year.
    date_format: str
    months: str

    def counted_from(self, articles: int, source: str) -> str:
        """ "12 articles from Harbour Notes"."""
        return self.articles_from_sources.format(
            articles=self.articles[self.plural(articles)].format(articles), sources=source
        )

    def counted(self, articles: int, sources: int) -> str:
        """ "12 articles from 4 sources"."""
        return self.articles_from_sources.format(
            articles=self.articles[self.plural(articles)].format(articles),
            sources=self.sources[self.plural(sources)].format(sources),
        )

    def on(self, day: date) -> str:
        """The date in words."""
        return self.date_format.format(day=day.day, month=self.months.split()[day.month - 1], year=day.year)

    def listed(self, names: Sequence[str]) -> str:
        """ "A, B and C"; of many only the first, and how many more."""
        shown = list(names[:_MOST_NAMES])
        if len(names) > len(shown):
            hidden = len(names) - len(shown)
            shown.append(self.more_names[self.plural(hidden)].format(hidden))
        if len(shown) == 1:
            return shown[0]
        return f"{', '.join(shown[:-1])} {self.conjunction} {shown[-1]}"

    def dated(self, moments: Sequence[datetime]) -> str:
        """When the articles were published, as a sentence; "" when no date is known."""
        days = sorted(moment.astimezone(UTC).date() for moment in moments)
        if not days:
            return ""
        if days[0] == days[-1]:
            return self.published_on.format(date=self.on(days[0]))
        return self.published_between.format(first=self.on(days[0]), last=self.on(days[-1]))


_ALL = (
    Phrases(
        code="en",
        plural=_one_or_many,
        articles=("{} article", "{} articles"),
        sources=("{} source", "{} sources"),
        articles_from_sources="{articles} from {sources}",
        introduction="This round-up quotes {counted}: {names}.",
        published_on="All were published on {date}.",
        published_between="They were published between {first} and {last}.",
        verbatim="Every quotation is verbatim and names the page it was taken from.",
        sources_heading="Sources",
        conjunction="and",
        more_names=("{} more", "{} more"),
        date_format="{day} {month} {year}",
        months="January February March April May June July August September October November December",
    ),
    Phrases(
        code="de",
        plural=_one_or_many,
        articles=("{} Artikel", "{} Artikel"),
        sources=("{} Quelle", "{} Quellen"),
        articles_from_sources="{articles} aus {sources}",
        introduction="Dieser Überblick zitiert {counted}: {names}.",
        published_on="Erschienen sind sie am {date}.",
        published_between="Erschienen sind sie zwischen dem {first} und dem {last}.",
        verbatim="Alle Zitate sind wörtlich und nennen die Seite, von der sie stammen.",
        sources_heading="Quellen",
        conjunction="und",
        more_names=("{} weitere", "{} weitere"),
        date_format="{day}. {month} {year}",
        months="Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    ),
    Phrases(
        code="fr",
        plural=_french,
        articles=("{} article", "{} articles"),
        sources=("{} source", "{} sources"),
        articles_from_sources="{articles} de {sources}",
        introduction="Cette revue cite {counted} : {names}.",
        published_on="Date de publication : le {date}.",
        published_between="Dates de publication : du {first} au {last}.",
        verbatim="Chaque citation est textuelle et indique la page dont elle est tirée.",
        sources_heading="Sources",
        conjunction="et",
        more_names=("{} autre", "{} autres"),
        date_format="{day} {month} {year}",
        months="janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    ),
    Phrases(
        code="es",
        plural=_one_or_many,
        articles=("{} artículo", "{} artículos"),
        sources=("{} fuente", "{} fuentes"),
        articles_from_sources="{articles} de {sources}",
        introduction="Este resumen cita {counted}: {names}.",
        published_on="Fecha de publicación: {date}.",
        published_between="Fechas de publicación: del {first} al {last}.",
        verbatim="Todas las citas son literales e indican la página de la que proceden.",
        sources_heading="Fuentes",
        conjunction="y",
        more_names=("{} más", "{} más"),
        date_format="{day} de {month} de {year}",
        months="enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    ),
    Phrases(
        code="it",
        plural=_one_or_many,
        articles=("{} articolo", "{} articoli"),
        sources=("{} fonte", "{} fonti"),
        articles_from_sources="{articles} da {sources}",
        introduction="Questa rassegna cita {counted}: {names}.",
        published_on="Data di pubblicazione: {date}.",
        published_between="Date di pubblicazione: da {first} a {last}.",
        verbatim="Ogni citazione è letterale e indica la pagina da cui è tratta.",
        sources_heading="Fonti",
        conjunction="e",
        more_names=("{} altra", "{} altre"),
        date_format="{day} {month} {year}",
        months="gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    ),
    Phrases(
        code="pl",
        plural=_polish,
        articles=("{} artykuł", "{} artykuły", "{} artykułów"),
        sources=("{} źródła", "{} źródeł", "{} źródeł"),
        articles_from_sources="{articles} z {sources}",
        introduction="Ten przegląd cytuje {counted}: {names}.",
        published_on="Data publikacji: {date}.",
        published_between="Daty publikacji: od {first} do {last}.",
        verbatim="Każdy cytat jest dosłowny i wskazuje stronę, z której pochodzi.",
        sources_heading="Źródła",
        conjunction="i",
        more_names=("{} inne", "{} inne", "{} innych"),
        date_format="{day} {month} {year}",
        months=(
            "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia"
        ),
    ),
)  # fmt: skip
_BY_CODE = {phrases.code: phrases for phrases in _ALL}


def phrases_of(tag: str) -> Phrases | None:
    """The templates for a language tag such as "de-AT"; None when there are none."""
    return _BY_CODE.get(language_code(tag))


def english() -> Phrases:
    """What a digest in a language without templates is framed in."""
    return _BY_CODE["en"]


def sources_headings() -> frozenset[str]:
    """What lists of sources are called, in lower case."""
    return frozenset(phrases.sources_heading.casefold() for phrases in _ALL) | {"references", "bibliography"}
