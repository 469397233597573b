// The page of a post: checks the text while one types, shows what stands on which source, and keeps what is not saved.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("post_form");
  const review = document.getElementById("review");
  const DEBOUNCE_MS = 700;

  // Checking: one request at a time, since a long text takes its time; what is typed meanwhile is checked after it.
  const url = form.dataset.checkUrl;
  let timer = null;
  let isAsking = false;
  let isStale = false;

  const check = async () => {
    if (isAsking) {
      isStale = true;
      return;
    }
    isAsking = true;
    review.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(url, { method: "POST", body: new FormData(form) });
      if (answer.ok) show((await answer.json()).html);
    } finally {
      isAsking = false;
      review.removeAttribute("aria-busy");
    }
    if (isStale) {
      isStale = false;
      check();
    }
  };

  // Details that were opened or closed stay so.
  const show = (html) => {
    const open = [...review.querySelectorAll("details")].map((one) => one.open);
    review.innerHTML = html;
    const now = review.querySelectorAll("details");
    if (now.length === open.length) now.forEach((one, number) => { one.open = open[number]; });
  };

  if (url) {
    form.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(check, DEBOUNCE_MS);
    });
    form.querySelector("button[name=_check]").addEventListener("click", (event) => {
      event.preventDefault();
      clearTimeout(timer);
      check();
    });
  }

  // What was typed is not left behind by accident.
  let isTyped = "typed" in form.dataset;
  let isLeaving = false;
  form.addEventListener("input", () => { isTyped = true; });
  form.addEventListener("submit", (event) => {
    isLeaving = !(event.submitter && event.submitter.formTarget === "_blank");
  });
  window.addEventListener("beforeunload", (event) => {
    if (isTyped && !isLeaving) event.preventDefault();
  });

  // A source and the passages that link to it light up together.
  const light = (event) => {
    const near = event.target.closest ? event.target.closest("[data-sources]") : null;
    const wanted = near ? near.dataset.sources.split(" ").filter(Boolean) : [];
    for (const one of review.querySelectorAll("[data-sources]")) {
      const has = one.dataset.sources.split(" ");
      one.classList.toggle("post-is-lit", wanted.some((number) => has.includes(number)));
    }
  };
  review.addEventListener("pointerover", light);
  review.addEventListener("focusin", light);
  review.addEventListener("pointerleave", light);
});
