// The timeline: tells what a mark says when one hovers over it, moves to it or taps it. A second tap opens it.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const words = document.getElementById("cell-words");
  if (!words) return;
  let told = null;

  const tell = (event) => {
    const cell = event.target.closest("a.jobs-cell");
    if (!cell || cell === told) return;
    told = cell;
    words.textContent = cell.getAttribute("aria-label");
  };

  let touched = null;
  document.addEventListener("pointerover", tell);
  document.addEventListener("focusin", tell);
  document.addEventListener("click", (event) => {
    const cell = event.target.closest("a.jobs-cell");
    if (!cell || event.pointerType !== "touch" || touched === cell) return;
    event.preventDefault();
    touched = cell;
    tell(event);
  });
});
