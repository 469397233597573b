"""The jobs of knowledge."""

from typing import Annotated, Literal

from pydantic import Field

from jobs.context import ActiveRun
from jobs.definitions import RetryPolicy, job
from knowledge import evaluation
from knowledge.answers import asking
from knowledge.search.engine import Mode


@job(
    "knowledge.evaluate_search",
    title="Evaluate the search",
    queue="knowledge",
    retry=RetryPolicy(max_attempts=3, base_seconds=60),
    soft_time_limit=1740,
    time_limit=1800,
)
def evaluate_search(
    run: ActiveRun,
    *,
    top_k: Annotated[int, Field(ge=1, le=evaluation.MOST_RESULTS)] = 10,
    mode: Literal["hybrid", "dense", "sparse"] = "hybrid",
) -> evaluation.Evaluated:
    """Ask all enabled judged queries, and keep how the search did on them."""
    return evaluation.carry_out(run, top_k=top_k, mode=Mode(mode))


@job(
    asking.JOB,
    title="Answer a question",
    queue="knowledge",
    retry=RetryPolicy(max_attempts=3, base_seconds=30),
    soft_time_limit=1740,
    time_limit=1800,
    steps=asking.STEPS,
)
def answer_question(
    run: ActiveRun,
    *,
    question_id: int,
    writer: str = "extractive",
    perspectives: bool = False,
    max_papers: Annotated[int, Field(ge=1, le=asking.MOST_PAPERS)] = asking.PAPERS,
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None,
    arxiv: bool = False,
) -> asking.Answered:
    """Answer a question that somebody has asked, when a language model or arXiv is needed for it."""
    wish = asking.Wish(
        writer=writer, perspectives=perspectives, max_papers=max_papers, threshold=threshold, arxiv=arxiv
    )
    return asking.answer(run, question_id, wish)
