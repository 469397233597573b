// Looks again for what a run is about to bring, until it is there. Without this there is a link to look again.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const EVERY_MS = 1500;

  for (const place of document.querySelectorAll("[data-wait]")) {
    const look = async () => {
      const answer = await fetch(place.dataset.wait);
      if (!answer.ok || answer.redirected) return;
      place.innerHTML = await answer.text();
      if (place.querySelector("[data-waiting]")) setTimeout(look, EVERY_MS);
    };
    setTimeout(look, EVERY_MS);
  }
});
