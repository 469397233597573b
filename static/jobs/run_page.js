// The page of a run: its bar and log follow the events themselves; what else depends on its status is asked for when that
// changes, or is a while old. Without a stream of events the page asks once a second while the run is active. Never in a hidden tab.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const page = document.getElementById("run");
  const log = document.getElementById("log");
  const follow = document.getElementById("follow");
  const noLines = document.getElementById("no-lines");
  const connection = document.getElementById("connection");
  const EVERY_MS = 1000;
  const OLD_MS = 15000;
  const MOST_LINES = 2000;
  let isActive = page.dataset.active === "yes";
  let isLive = false;
  let lastLine = Number(page.dataset.lastLine);
  let status = "";
  let timer = null;
  let isAsking = false;
  let askAgain = false;
  let askedAt = performance.now();

  const cell = (tag, text) => {
    const element = document.createElement(tag);
    element.textContent = text;
    return element;
  };

  const append = (lines) => {
    let count = 0;
    for (const line of lines) {
      if (line.id <= lastLine) continue;
      const item = document.createElement("li");
      item.className = `jobs-log--${line.level.toLowerCase()}`;
      item.append(cell("time", line.at), cell("span", line.level), cell("span", line.message));
      log.append(item);
      lastLine = line.id;
      count += 1;
    }
    while (log.childElementCount > MOST_LINES) log.firstElementChild.remove();
    if (count) noLines.hidden = true;
    if (count && follow.checked) log.scrollTop = log.scrollHeight;
  };

  // The bar alone is moved when only its value changed, so that it glides.
  const place = (part, html) => {
    const old = page.querySelector(`[data-part="${part}"]`);
    const fresh = document.createElement("div");
    fresh.innerHTML = html;
    const [from, to] = [old.querySelector("progress"), fresh.querySelector("progress")];
    if (from && to && from.className === to.className) {
      from.value = to.value;
      const [line, newLine] = [old.querySelector("p"), fresh.querySelector("p")];
      if (line.innerHTML !== newLine.innerHTML) line.replaceWith(newLine);
    } else if (part !== "head" || isDifferent(old, fresh)) {
      old.replaceChildren(...fresh.childNodes);
    }
  };

  // Buttons keep the keyboard's focus: their part is replaced only when more than its form token changed.
  const isDifferent = (one, other) => one.textContent.trim() !== other.textContent.trim();

  const ask = async () => {
    if (isAsking) {
      askAgain = true;
      return;
    }
    isAsking = true;
    askAgain = false;
    askedAt = performance.now();
    try {
      const answer = await fetch(`${page.dataset.liveUrl}?after=${lastLine}`, { redirect: "error" });
      if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
      const news = await answer.json();
      for (const [part, html] of Object.entries(news.parts)) place(part, html);
      append(news.lines);
      isActive = news.is_active;
      connection.textContent = "";
    } catch (error) {
      connection.textContent = "No news from the server; trying again.";
    } finally {
      isAsking = false;
      if (askAgain) ask();
      plan();
    }
  };

  const plan = () => {
    clearTimeout(timer);
    if (isActive && !isLive && !document.hidden) timer = setTimeout(ask, EVERY_MS);
  };

  const move = (news) => {
    const bar = page.querySelector("[data-part=progress] progress");
    const signs = [news.status, news.attempt, news.cancel_requested].join();
    const isOld = performance.now() - askedAt > OLD_MS;
    if (signs !== status || !bar || isOld || news.status !== "running") {
      status = signs;
      ask();
      return;
    }
    bar.value = news.progress;
    const percent = `${Math.round(news.progress)} %`;
    bar.textContent = percent;
    const line = page.querySelector("[data-part=progress] .jobs-progress-line");
    const left = document.createElement("span");
    left.className = "jobs-push jobs-faint";
    const p90 = news.eta_p90_seconds === null ? "" : `, 9 of 10 within ${almanac.duration(news.eta_p90_seconds)}`;
    left.textContent = news.eta_seconds === null ? "no estimate yet" : `${almanac.later(news.eta_seconds)}${p90}`;
    const parts = [cell("strong", percent)];
    if (news.progress_total) parts.push(cell("span", `${news.progress_current} of ${news.progress_total}`));
    if (news.progress_text) parts.push(cell("span", news.progress_text));
    line.replaceChildren(...parts, left);
  };

  if (isActive) {
    almanac.follow({
      query: { run: page.dataset.run },
      on: {
        run: move,
        log: (news) => append(news.lines.map((line) => ({ ...line, at: clock(line.at) }))),
      },
      reset: ask,
      state: (isHad) => {
        isLive = isHad;
        plan();
      },
    });
  }

  // In the site's own time zone, as the server writes it: its offset from UTC stands on the page.
  const clock = (at) => new Date(Date.parse(at) + Number(page.dataset.utcOffset) * 1000).toISOString().slice(11, 19);

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && isActive && !isLive) ask();
    else plan();
  });
  log.scrollTop = log.scrollHeight;
  plan();
});
