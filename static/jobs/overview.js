// The first page: bars move with the events themselves; a panel that looks different otherwise is fetched again, one at a time.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const overview = document.getElementById("overview");
  const connection = document.getElementById("connection");
  const ASK_EVERY_MS = 5000;
  const GAP_MS = 2000;
  let isLive = false;

  const panels = [...overview.querySelectorAll("[data-panel]")].map((card) => {
    const body = card.querySelector("[data-body]");
    const fetchBody = async () => {
      if (document.hidden) return;
      try {
        const answer = await fetch(card.dataset.panel + location.search, { redirect: "error" });
        if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
        replace(body, await answer.text());
        if (!isLive) connection.textContent = "";
      } catch (error) {
        connection.textContent = "No news from the server; trying again.";
      }
    };
    return {
      follows: card.dataset.follows.split(" "),
      every: Number(card.dataset.every),
      refresh: almanac.gently(fetchBody, GAP_MS),
    };
  });

  // The keyboard's focus and opened details stay where they were.
  const replace = (body, html) => {
    const fresh = document.createElement("div");
    fresh.innerHTML = html;
    const focused = body.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const opened = [...body.querySelectorAll("details")].map((one) => one.open);
    body.replaceChildren(...fresh.childNodes);
    body.querySelectorAll("details").forEach((one, number) => (one.open = opened[number] ?? false));
    if (focused) body.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  };

  const refresh = (kind) => {
    for (const panel of panels) if (panel.follows.includes(kind)) panel.refresh();
  };

  const run = (news) => {
    const row = overview.querySelector(`[data-run="${news.id}"]`);
    if (!row || row.dataset.status !== "running" || news.status !== "running") {
      if (!row || row.dataset.status !== news.status) refresh("run");
      return;
    }
    const bar = row.querySelector("progress");
    bar.value = news.progress;
    bar.textContent = `${Math.round(news.progress)} %`;
    row.querySelector("[data-percent]").textContent = `${Math.round(news.progress)} %`;
    row.querySelector("[data-left]").textContent = almanac.later(news.eta_seconds);
    row.querySelector("[data-text]").textContent = news.progress_text ? ` · ${news.progress_text}` : "";
  };

  almanac.follow({
    query: { kinds: overview.dataset.kinds },
    on: {
      run,
      alert: () => refresh("alert"),
      worker: () => refresh("worker"),
      schedule: () => refresh("schedule"),
    },
    reset: () => panels.forEach((panel) => panel.refresh()),
    state: (isHad) => {
      isLive = isHad;
      connection.textContent = isHad ? "Live" : "";
    },
  });

  let passed = 0;
  setInterval(() => {
    if (document.hidden) return;
    passed += ASK_EVERY_MS / 1000;
    for (const panel of panels) {
      const every = isLive ? panel.every : ASK_EVERY_MS / 1000;
      if (every && passed % every === 0) panel.refresh();
    }
  }, ASK_EVERY_MS);

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) panels.forEach((panel) => panel.refresh());
  });
});
