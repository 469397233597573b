"""Answers as the API shows them."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.reverse import reverse

from jobs.models import JobRun
from knowledge.answers import NOT_ADVICE, Shown, run_of, shown
from knowledge.answers.shown import ShownSentence
from knowledge.models import Answer, Paper, Passage, Question
from knowledge.standing import names_of_authors

#: What has become of a question.
STATES = [("answered", "Answered"), ("refused", "Refused"), ("waiting", "Waiting"), ("failed", "Failed")]


class AnswerSentenceSerializer(serializers.Serializer[Any]):
    text = serializers.CharField()
    numbers = serializers.ListField(child=serializers.IntegerField(), help_text="Of its citations.")
    support = serializers.FloatField(help_text="1 for what stands word for word in what it cites.")
    warnings = serializers.ListField(child=serializers.CharField(), help_text="Of what it cites.")


class AnswerCitationSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    paper_id = serializers.IntegerField(allow_null=True)
    document_id = serializers.IntegerField(allow_null=True)
    passage_id = serializers.IntegerField(
        allow_null=True, help_text="null when the text has been cut anew since."
    )
    title = serializers.CharField()
    authors = serializers.ListField(child=serializers.CharField())
    journal = serializers.CharField()
    published = serializers.CharField(help_text="As far as it is known: 2024, 2024-05 or 2024-05-17.")
    year = serializers.IntegerField(allow_null=True)
    doi = serializers.CharField()
    pmid = serializers.CharField()
    arxiv_id = serializers.CharField()
    url = serializers.CharField()
    quote = serializers.CharField(help_text="The passage as it was read.")
    is_retracted = serializers.BooleanField()
    is_retracted_since = serializers.BooleanField(help_text="After the answer was given.")
    is_corrected = serializers.BooleanField()
    is_doubted = serializers.BooleanField()
    is_outdated = serializers.BooleanField(help_text="It is older than the policy wants papers to be.")
    warnings = serializers.ListField(child=serializers.CharField(), help_text="The gravest first.")


class RelevantPaperSerializer(serializers.Serializer[Any]):
    paper_id = serializers.IntegerField(allow_null=True, help_text="null for a document.")
    document_id = serializers.IntegerField(allow_null=True, help_text="null for a paper.")
    title = serializers.CharField()
    authors = serializers.ListField(child=serializers.CharField())
    similarity_score = serializers.FloatField(
        allow_null=True, help_text="The cosine of question and nearest passage; null: there were no vectors."
    )
    relevant_text = serializers.CharField(help_text="That passage; empty when its text has changed since.")
    source = serializers.CharField(  # type: ignore[assignment]  # a field of that name is what clients see
        help_text="Who gave it: a connector, or document."
    )


class StatementSerializer(serializers.Serializer[Any]):
    role = serializers.CharField()
    text = serializers.CharField()
    sentences = AnswerSentenceSerializer(many=True)


class DiscussionRoundSerializer(serializers.Serializer[Any]):
    round = serializers.IntegerField()
    statements = StatementSerializer(many=True)


class DiscussionSerializer(serializers.Serializer[Any]):
    discussion_rounds = DiscussionRoundSerializer(many=True)
    final_conclusion = serializers.CharField()
    total_rounds = serializers.IntegerField()
    agents_participated = serializers.ListField(child=serializers.CharField())


class AnswerOutputSerializer(serializers.Serializer[Any]):
    success = serializers.BooleanField(help_text="Whether there is an answer.")
    state = serializers.ChoiceField(
        choices=STATES, help_text="waiting: a worker writes it; failed: its run has ended without one."
    )
    question_id = serializers.IntegerField()
    query = serializers.CharField()
    session_id = serializers.UUIDField()
    asked_at = serializers.DateTimeField()
    answer_id = serializers.IntegerField(allow_null=True)
    answered_at = serializers.DateTimeField(allow_null=True)
    response = serializers.CharField(help_text="The sentences with their numbers; empty without an answer.")
    reason = serializers.CharField(help_text="Why there is no answer; empty if there is one.")
    refusal = serializers.CharField(help_text="The same for programs, such as nothing_similar.")
    writer = serializers.CharField()
    sentences = AnswerSentenceSerializer(many=True)
    citations = AnswerCitationSerializer(many=True)
    warnings = serializers.ListField(
        child=serializers.CharField(), help_text="Papers among these that must not be relied on."
    )
    rejected_sentences = serializers.IntegerField(help_text="That the check did not let through.")
    relevant_papers = RelevantPaperSerializer(many=True, help_text="What was found, the nearest first.")
    agent_discussions = DiscussionSerializer(allow_null=True)
    search_strategy = serializers.CharField(help_text="hybrid, words, or these with arxiv.")
    expanded_queries = serializers.ListField(
        child=serializers.CharField(), help_text="What was searched for."
    )
    vector_results_count = serializers.IntegerField(help_text="Papers and documents found with a similarity.")
    arxiv_results_count = serializers.IntegerField(help_text="Papers that arXiv gave for this question.")
    processing_time_ms = serializers.FloatField()
    disclaimer = serializers.CharField()
    run = serializers.CharField(help_text="Where the run that writes it is; empty: none was needed.")


def output(question: Question, request: Request) -> dict[str, Any]:
    """Everything about a question, as it is now."""
    answer = Answer.objects.select_related("question").filter(question=question).first()
    run = run_of(question)
    found: dict[str, Any] = {
        "question_id": question.pk,
        "query": question.text,
        "session_id": question.session,
        "asked_at": question.asked_at,
        "disclaimer": NOT_ADVICE,
        "run": reverse("api:run-detail", args=[run.pk], request=request) if run else "",
    }
    return found | (_waiting(run) if answer is None else _answered(answer))


def _waiting(run: JobRun | None) -> dict[str, Any]:
    is_failed = run is None or not run.is_active
    reason = (run.error_message or run.reason) if run is not None and is_failed else ""
    return {
        "success": False,
        "state": "failed" if is_failed else "waiting",
        "answer_id": None,
        "answered_at": None,
        "response": "",
        "reason": (reason or "The run that was to write it is gone.")
        if is_failed
        else "A worker writes the answer.",
        "refusal": "",
        "writer": "" if run is None else str(run.parameters.get("writer", "")),
        "sentences": [],
        "citations": [],
        "warnings": [],
        "rejected_sentences": 0,
        "relevant_papers": [],
        "agent_discussions": None,
        "search_strategy": "",
        "expanded_queries": [],
        "vector_results_count": 0,
        "arxiv_results_count": 0,
        "processing_time_ms": 0.0,
    }


def _answered(answer: Answer) -> dict[str, Any]:
    seen, details = shown(answer), answer.details
    papers = _relevant(answer)
    arxiv = int(details.get("arxiv", 0))
    strategy = "hybrid" if details.get("space") else "words"
    return {
        "success": seen.is_answered,
        "state": answer.state,
        "answer_id": answer.pk,
        "answered_at": seen.answered_at,
        "response": seen.text,
        "reason": seen.reason,
        "refusal": details.get("refusal", ""),
        "writer": answer.writer,
        "sentences": seen.sentences,
        "citations": seen.citations,
        "warnings": seen.warnings,
        "rejected_sentences": len(answer.rejected),
        "relevant_papers": papers,
        "agent_discussions": _discussion(seen),
        "search_strategy": f"{strategy}+arxiv" if "arxiv" in details else strategy,
        "expanded_queries": [answer.question.text],
        "vector_results_count": sum(paper["similarity_score"] is not None for paper in papers),
        "arxiv_results_count": arxiv,
        "processing_time_ms": round(1000 * float(details.get("seconds", 0)), 1),
    }


def _relevant(answer: Answer) -> list[dict[str, Any]]:
    """The papers and documents that were found, each with its nearest passage."""
    nearest: dict[tuple[int | None, int | None], Mapping[str, Any]] = {}
    for found in answer.retrieved:
        owner = found["paper"], found["document"]
        if owner not in nearest or (found["similarity"] or 0) > (nearest[owner]["similarity"] or 0):
            nearest[owner] = found
    texts = Passage.objects.in_bulk([found["passage"] for found in nearest.values()])
    papers = Paper.objects.in_bulk([paper for paper, _ in nearest if paper is not None])
    return [
        {
            "paper_id": paper,
            "document_id": document,
            "title": found["title"],
            "authors": names_of_authors(papers[paper]) if paper in papers else [],
            "similarity_score": found["similarity"],
            "relevant_text": texts[found["passage"]].text if found["passage"] in texts else "",
            "source": "document" if paper is None else _source(papers.get(paper)),
        }
        for (paper, document), found in sorted(
            nearest.items(), key=lambda pair: -(pair[1]["similarity"] or 0)
        )
    ]


def _source(paper: Paper | None) -> str:
    return paper.sources[0] if paper is not None and paper.sources else ""


def _discussion(seen: Shown) -> dict[str, Any] | None:
    if not seen.statements:
        return None
    rounds: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for statement in seen.statements:
        if statement.round:
            said = {
                "role": statement.role,
                "text": _text(statement.sentences),
                "sentences": statement.sentences,
            }
            rounds[statement.round].append(said)
    return {
        "discussion_rounds": [
            {"round": number, "statements": said} for number, said in sorted(rounds.items())
        ],
        "final_conclusion": seen.text,
        "total_rounds": len(rounds),
        "agents_participated": list(
            dict.fromkeys(said["role"] for statements in rounds.values() for said in statements)
        ),
    }


def _text(sentences: tuple[ShownSentence, ...]) -> str:
    return " ".join(sentence.text for sentence in sentences)
