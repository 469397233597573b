"""A language model behind any endpoint that speaks OpenAI's protocol, alone or as four experts who discuss."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

import chat
from chat.usage import Usage
from knowledge.answers import prompts
from knowledge.answers.base import Brief, Draft, OnStep, Said, Statement, Writer, nobody
from knowledge.answers.errors import WriterError, WriterRefused, WriterUnavailable
from knowledge.answers.registry import register
from knowledge.answers.verify import verify

#: Sentences of an answer, of a synthesis, and of what an expert says at a time.
_MOST, _MOST_OF_SYNTHESIS, _MOST_OF_EXPERT = 8, 10, 4
ROUNDS = 2
_SOBER, _LIVELY = 0.2, 0.7
#: What is told when nothing of an answer can be used.
_REASONS_TOLD = 3
#: Of a model that says more, the rest is not read.
_MOST_READ = 40


@dataclass(frozen=True)
class Expert:
    """A view that a model takes."""

    name: str
    view: str


EXPERTS = {
    "google_engineer": Expert(
        "Engineer",
        "You are an engineer of large systems. You ask what works in practice, at what scale and cost.",
    ),
    "mit_researcher": Expert(
        "Researcher",
        "You are a researcher. You ask how it was studied, what is new, and how sure the result is.",
    ),
    "industry_expert": Expert(
        "Practitioner",
        "You work in the field. You ask whom it concerns, what it changes there, and what it risks.",
    ),
    "paper_analyst": Expert(
        "Analyst",
        "You analyse papers. You compare their methods, figures and limits, and where they disagree.",
    ),
}
SYNTHESIS = "synthesis"


@register
class OpenAIWriter(Writer):
    """Lets a model answer from the passages alone. What it says passes the same check as everything else.

    One paid answer for each sentence list; a second only when nothing of the first can be used, with the reasons.
    """

    kind, label = "openai", "Language model (OpenAI-compatible endpoint)"
    is_slow = True
    roles: ClassVar = tuple(EXPERTS)

    def why_not(self) -> str:
        return chat.why_not()

    def write(self, brief: Brief, *, perspectives: bool = False, on_step: OnStep = nobody) -> Draft:
        """Eight sentences at most; with perspectives the experts' statements, and what they come to."""
        if perspectives:
            return _Discussion(brief, on_step).held()
        on_step("The model writes", 0, 1)
        said, usage = _ask(brief, prompts.question_messages(brief, most=_MOST), _SOBER)
        return Draft(said, usage=usage)


@dataclass
class _Discussion:
    """Rounds in which each expert hears what stood up to the check so far, and then a synthesis."""

    brief: Brief
    on_step: OnStep
    statements: list[Statement] = field(default_factory=list)
    heard: list[prompts.Heard] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)

    def held(self) -> Draft:
        """All of it. Raises WriterError with what everything took."""
        total = ROUNDS * len(EXPERTS) + 1
        for number in range(1, ROUNDS + 1):
            for role, expert in EXPERTS.items():
                self.on_step(f"Round {number}: {expert.name}", len(self.statements), total)
                messages = prompts.expert_messages(
                    self.brief, view=expert.view, heard=self.heard, most=_MOST_OF_EXPERT
                )
                said = self._asked(messages, _LIVELY)
                self.statements.append(Statement(role, number, said))
                if borne_out := _borne_out(said, self.brief):
                    self.heard.append(prompts.Heard(expert.name, borne_out))
        self.on_step("Synthesis", total - 1, total)
        messages = prompts.synthesis_messages(self.brief, heard=self.heard, most=_MOST_OF_SYNTHESIS)
        said = self._asked(messages, _SOBER)
        self.statements.append(Statement(SYNTHESIS, 0, said))
        return Draft(said, tuple(self.statements), self.usage)

    def _asked(self, messages: list[prompts.Message], temperature: float) -> tuple[Said, ...]:
        try:
            said, usage = _ask(self.brief, messages, temperature)
        except WriterError as error:
            if self.usage.calls:
                error.usage = self.usage + (error.usage or Usage())
            raise
        self.usage += usage
        return said


def _ask(brief: Brief, messages: list[prompts.Message], temperature: float) -> tuple[tuple[Said, ...], Usage]:
    with _translated():
        given = chat.ask(
            messages,
            lambda answer, is_last: _read(answer, brief, is_last=is_last),
            schema=prompts.SentencesAnswer,
            temperature=temperature,
        )
    return given.value, given.usage


def _read(answer: str, brief: Brief, *, is_last: bool) -> tuple[Said, ...]:
    """The sentences; raises Unusable when there are some, none stands up to the check, and there is another chance."""
    found = chat.read_json(answer, prompts.SentencesAnswer)
    said = tuple(
        Said(sentence.text, tuple(dict.fromkeys(sentence.passages)))
        for sentence in found.sentences[:_MOST_READ]
    )
    if said and not is_last:
        verdicts = verify(said, brief)
        if not any(verdict.is_supported for verdict in verdicts):
            reasons = " ".join(f"“{one.said.text[:200]}”: {one.reason}" for one in verdicts[:_REASONS_TOLD])
            raise chat.Unusable(f"None of its sentences is borne out by the passages it names. {reasons}")
    return said


def _borne_out(said: tuple[Said, ...], brief: Brief) -> list[str]:
    return [verdict.said.text for verdict in verify(said, brief) if verdict.is_supported]


@contextmanager
def _translated() -> Iterator[None]:
    """Errors of asking a model as errors of writing."""
    try:
        yield
    except chat.ChatUnavailable as error:
        raise WriterUnavailable(str(error), retry_after=error.retry_after, usage=error.usage) from error
    except chat.ChatError as error:
        raise WriterRefused(str(error), usage=error.usage) from error
