"""Which sentences of which articles are quoted, and in which groups: as many words as wanted, nothing said twice."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from publishing.digests.articles import Article, Candidate
from publishing.digests.sentences import Sentence
from publishing.digests.vectors import likeness

#: No more sentences are taken from one article: a quotation is no copy.
MAX_QUOTATIONS = 4
#: An article takes about as many words, with its heading, two quotations and its place in the list of sources.
_WORDS_PER_ARTICLE = 70
#: Introduction and the heading of the sources.
_FRAME_WORDS = 50
#: Sentences more alike than this say the same.
_SAME = 0.6
_REDUNDANCY_PENALTY = 1.0
#: Articles at least as alike are about the same.
_SAME_THEME = 0.2


@dataclass
class Chosen:
    """An article with the sentences taken from it."""

    article: Article
    sentences: list[Sentence] = field(default_factory=list)

    def in_order(self) -> list[Sentence]:
        """As they stand in the article."""
        return sorted(self.sentences, key=lambda sentence: sentence.place)


@dataclass
class _Choice:
    """What is chosen so far."""

    #: The most words the text may have.
    limit: int
    words: int = _FRAME_WORDS
    chosen: dict[int, Chosen] = field(default_factory=dict)
    _weights: list[dict[str, float]] = field(default_factory=list)
    _by_term: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def add_from(self, article: Article) -> bool:
        """Take the best sentence that is left of an article and says something new; False if there is none."""
        entry = self.chosen.get(article.id)
        if entry is not None and len(entry.sentences) >= MAX_QUOTATIONS:
            return False
        candidate = self._best(article, entry)
        if candidate is None:
            return False
        if entry is None:
            entry = self.chosen[article.id] = Chosen(article)
            self.words += article.frame_words
        entry.sentences.append(candidate.sentence)
        self.words += candidate.sentence.words
        for term in candidate.vector:
            self._by_term[term].append(len(self._weights))
        self._weights.append(candidate.vector)
        return True

    def _best(self, article: Article, entry: Chosen | None) -> Candidate | None:
        """By maximal marginal relevance: what tells most, less what has been said."""
        taken = {sentence.place for sentence in entry.sentences} if entry else set()
        frame = 0 if entry else article.frame_words
        best, best_score = None, 0.0
        for candidate in article.candidates:
            place = candidate.sentence.place
            if place in taken or (candidate.leans and place - 1 not in taken):
                continue
            if self.words + frame + candidate.sentence.words > self.limit:
                continue
            said = self._said(candidate)
            score = candidate.score - _REDUNDANCY_PENALTY * said
            if said < _SAME and (best is None or score > best_score):
                best, best_score = candidate, score
        return best

    def _said(self, candidate: Candidate) -> float:
        """How alike the most alike of the chosen sentences is."""
        sums: dict[int, float] = defaultdict(float)
        for term, weight in candidate.vector.items():
            for number in self._by_term.get(term, ()):
                sums[number] += weight * self._weights[number][term]
        return max(sums.values(), default=0.0)


def choose(articles: Sequence[Article], words: tuple[int, int]) -> list[Chosen]:
    """Sentences for a text of so many words, or fewer when there are no more; by importance of their articles.

    First one sentence of each of the most important articles, then a second one of each, and so on; then of others.
    """
    fewest, most = words
    aim = fewest + (most - fewest) * 4 // 10
    choice = _Choice(limit=most - (most - fewest) // 10)
    first = max(aim // _WORDS_PER_ARTICLE, 2)
    for batch in (articles[:first], *([article] for article in articles[first:])):
        for _ in range(MAX_QUOTATIONS):
            for article in batch:
                if choice.words >= aim:
                    return list(choice.chosen.values())
                choice.add_from(article)
    return list(choice.chosen.values())


def themes(chosen: Sequence[Chosen]) -> list[list[Chosen]]:
    """Articles about the same together; each group is led by its most important one, and larger groups come first."""
    groups: list[list[Chosen]] = []
    for entry in chosen:
        best, best_likeness = None, _SAME_THEME
        for group in groups:
            like = likeness(entry.article.vector, group[0].article.vector)
            if like >= best_likeness:
                best, best_likeness = group, like
        if best is None:
            groups.append([entry])
        else:
            best.append(entry)
    return sorted(groups, key=lambda group: -len(group))
