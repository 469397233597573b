// The schedule form: shows the fields of the chosen kind, previews while one types, and fetches the fields of a job.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("schedule_form");
  const DEBOUNCE_MS = 250;
  const preview = document.getElementById("preview");
  const catchUp = document.getElementById("catch-up-words");
  const timing = [...form.querySelectorAll("[data-preview-fields]")];
  const enabled = form.querySelector("input[name=enabled]");
  let timer = null;
  let asked = null;

  const showKind = () => {
    const chosen = form.querySelector("input[name=kind]:checked");
    for (const part of form.querySelectorAll("[data-kind]")) {
      part.hidden = chosen !== null && part.dataset.kind !== chosen.value;
    }
  };

  const typed = () => {
    const all = new FormData(form);
    const query = new URLSearchParams();
    for (const part of timing) {
      for (const field of part.querySelectorAll("[name]")) {
        if (all.has(field.name)) query.set(field.name, all.get(field.name));
      }
    }
    if (enabled) query.set("enabled", enabled.checked ? "on" : "off");
    if (form.dataset.schedule) query.set("schedule", form.dataset.schedule);
    return query;
  };

  const isBlank = (query) => query.get("kind") !== "solar" && !query.get(query.get("kind"));

  const update = async () => {
    const query = typed();
    if (isBlank(query)) return;
    if (asked) asked.abort();
    asked = new AbortController();
    try {
      const answer = await fetch(`${form.dataset.previewUrl}?${query}`, { signal: asked.signal });
      if (!answer.ok) return;
      const { html, catch_up: words } = await answer.json();
      preview.innerHTML = html;
      catchUp.textContent = words;
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    }
  };

  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(update, DEBOUNCE_MS);
  };

  for (const part of timing) part.addEventListener("input", soon);
  if (enabled) enabled.addEventListener("change", soon);
  for (const radio of form.querySelectorAll("input[name=kind]")) radio.addEventListener("change", showKind);
  showKind();

  // Another job: its fields replace those shown; what was typed into any job's fields is kept by name.
  const parameters = document.getElementById("parameters");
  const kept = new Map();

  const keep = () => {
    for (const field of parameters.querySelectorAll("[name^='parameter-']")) {
      if (field.type === "checkbox" && !field.checked) kept.delete(field.name);
      else kept.set(field.name, field.value);
    }
  };

  const changeJob = async () => {
    keep();
    const body = new FormData(form);
    for (const [name, value] of kept) if (!body.has(name)) body.set(name, value);
    const answer = await fetch(form.dataset.parametersUrl, { method: "POST", body });
    if (answer.ok) parameters.innerHTML = await answer.text();
  };

  if (parameters) form.querySelector("select[name=job]").addEventListener("change", changeJob);
});
