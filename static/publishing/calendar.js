// The calendar: shows times in the browser's zone until somebody chooses another, and closes a card with Escape.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const filter = document.getElementById("calendar-filter");
  if ("zoneOpen" in filter.dataset) {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const known = [...document.querySelectorAll("#time-zones option")].some((one) => one.value === zone);
    if (known) {
      document.cookie = `time_zone=${zone}; path=/admin/; max-age=31536000; samesite=lax`;
      // Only if the cookie was kept, or this would never end.
      if (zone !== filter.elements.zone.value && document.cookie.includes(`time_zone=${zone}`)) location.reload();
    }
  }

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const open of document.querySelectorAll("details.cal-entry[open]")) {
      open.open = false;
      open.querySelector("summary").focus();
    }
  });
});
