// The list of runs: bars move with the events; rows whose status changed are read again, chosen ones stay chosen. New runs are
// only announced: a list that moves under the pointer helps nobody.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const table = document.getElementById("result_list");
  if (!table) return;
  const GAP_MS = 2000;
  const ID = /\/jobrun\/([0-9a-f-]{36})\//;
  const note = document.createElement("p");
  note.className = "jobs-hint jobs-new-runs";
  note.setAttribute("role", "status");
  table.before(note);
  const isFirstPage = !/[?&](p|e)=/.test(location.search);
  let fresh = new Set();

  const idOf = (row) => {
    const link = [...row.querySelectorAll("a[href]")].find((one) => ID.test(one.pathname));
    return link ? ID.exec(link.pathname)[1] : null;
  };
  const rowsOf = (root) => new Map([...root.querySelectorAll("tr")].map((row) => [idOf(row), row]).filter(([id]) => id));
  let rows = rowsOf(table);

  const reread = async () => {
    if (document.hidden) return;
    const answer = await fetch(location.href, { redirect: "error" }).catch(() => null);
    if (!answer || !answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = rowsOf(page.getElementById("result_list") ?? page);
    for (const [id, row] of rows) {
      const newer = now.get(id);
      if (!newer) continue;
      row.querySelectorAll("td, th").forEach((old, place) => {
        const cell = newer.querySelectorAll("td, th")[place];
        const isChoice = old.querySelector("input.action-select");
        if (cell && !isChoice && !old.contains(document.activeElement) && old.innerHTML !== cell.innerHTML) {
          old.innerHTML = cell.innerHTML;
        }
      });
      row.dataset.status = "";
    }
    rows = rowsOf(table);
  };
  const soon = almanac.gently(reread, GAP_MS);

  const run = (news) => {
    const row = rows.get(news.id);
    if (!row) {
      if (news.status !== "queued" || news.attempt || !isFirstPage) return;
      fresh.add(news.id);
      const link = document.createElement("a");
      link.className = "jobs-link";
      link.href = location.href;
      link.textContent = fresh.size === 1 ? "1 new run: show it" : `${fresh.size} new runs: show them`;
      note.replaceChildren(link);
      return;
    }
    const bar = row.querySelector("progress");
    if (!bar || news.status !== "running") {
      soon();
      return;
    }
    bar.value = news.progress;
    const words = bar.parentElement.querySelector("small");
    if (words) words.textContent = `${Math.round(news.progress)} % ${news.progress_text}`;
  };

  almanac.follow({ query: { kinds: "run" }, on: { run }, reset: soon, state: () => {} });
});
