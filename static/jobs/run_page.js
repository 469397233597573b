// The page of a run: asks once a second what changed while the run is active, and not at all in a hidden tab.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const page = document.getElementById("run");
  const log = document.getElementById("log");
  const follow = document.getElementById("follow");
  const noLines = document.getElementById("no-lines");
  const connection = document.getElementById("connection");
  const EVERY_MS = 1000;
  const MOST_LINES = 2000;
  let isActive = page.dataset.active === "yes";
  let lastLine = Number(page.dataset.lastLine);
  let timer = null;
  let isAsking = false;

  const cell = (tag, text) => {
    const element = document.createElement(tag);
    element.textContent = text;
    return element;
  };

  const append = (lines) => {
    for (const line of lines) {
      const item = document.createElement("li");
      item.className = `jobs-log--${line.level.toLowerCase()}`;
      item.append(cell("time", line.at), cell("span", line.level), cell("span", line.message));
      log.append(item);
      lastLine = line.id;
    }
    while (log.childElementCount > MOST_LINES) log.firstElementChild.remove();
    if (lines.length) noLines.hidden = true;
    if (lines.length && follow.checked) log.scrollTop = log.scrollHeight;
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
    if (isAsking) return;
    isAsking = true;
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
      plan();
    }
  };

  const plan = () => {
    clearTimeout(timer);
    if (isActive && !document.hidden) timer = setTimeout(ask, EVERY_MS);
  };

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && isActive) ask();
  });
  log.scrollTop = log.scrollHeight;
  plan();
});
