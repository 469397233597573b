// Forms of topics and research jobs: previews when they run while one types. Without this there is a button.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const DEBOUNCE_MS = 250;
  const form = document.getElementById("settings");
  const preview = document.getElementById("preview");
  const fields = form.dataset.previewFields.split(" ").map((name) => form.elements[name]);
  let timer = null;
  let asked = null;

  const update = async () => {
    if (asked) asked.abort();
    asked = new AbortController();
    const query = new URLSearchParams(fields.map((field) => [field.name, field.value]));
    if (form.dataset.of) query.set("of", form.dataset.of);
    try {
      const answer = await fetch(`${form.dataset.previewUrl}?${query}`, { signal: asked.signal });
      if (answer.ok) preview.innerHTML = (await answer.json()).html;
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    }
  };

  for (const field of fields) {
    field.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(update, DEBOUNCE_MS);
    });
  }
});
