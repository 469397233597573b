// Live events for every page that follows some: one stream while the page is looked at, and words for moments and lengths of time.
"use strict";

const almanac = (() => {
  const KINDS = ["run", "log", "alert", "worker", "schedule", "system"];
  const TRY_AGAIN_MS = 30000;

  // Follows events. `on` maps kinds to functions that take the event's data; `reset` is called when events were missed and
  // everything is to be looked at anew; `state` when the stream is had (true) or not (false: the page must ask by itself).
  // A hidden page has no stream: browsers keep few connections to one address. It comes back where it left off.
  const follow = ({ query, on, reset, state }) => {
    const meta = document.querySelector("meta[name=live-stream]");
    if (!meta) {
      state(false);
      return;
    }
    let after = meta.dataset.after;
    let source = null;
    let timer = null;

    const close = () => {
      clearTimeout(timer);
      if (source) source.close();
      source = null;
    };

    const open = () => {
      close();
      const address = new URL(meta.content, location.href);
      for (const [name, value] of Object.entries({ ...query, last_event_id: after })) address.searchParams.set(name, value);
      source = new EventSource(address, { withCredentials: true });
      const remember = (event) => {
        if (event.lastEventId) after = event.lastEventId;
      };
      source.addEventListener("ready", (event) => {
        remember(event);
        state(true);
      });
      source.addEventListener("reset", (event) => {
        remember(event);
        reset();
      });
      source.addEventListener("end", () => fail());
      for (const kind of KINDS) {
        if (!on[kind]) continue;
        source.addEventListener(kind, (event) => {
          remember(event);
          on[kind](JSON.parse(event.data));
        });
      }
      source.onerror = () => {
        state(false);
        if (source && source.readyState === EventSource.CLOSED) fail();
      };
    };

    const fail = () => {
      state(false);
      close();
      timer = setTimeout(open, TRY_AGAIN_MS);
    };

    document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
    window.addEventListener("pagehide", close);
    if (!document.hidden) open();
  };

  // A length of time in its two largest units, as jobs.display.duration says it.
  const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const duration = (seconds) => {
    if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
    if (seconds < 60) return seconds < 10 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds)} s`;
    let left = Math.round(seconds);
    const parts = [];
    for (const [size, name] of UNITS) {
      const count = Math.floor(left / size);
      left -= count * size;
      if (count || parts.length) parts.push([count, name]);
    }
    return parts.slice(0, 2).filter(([count]) => count).map(([count, name]) => `${count} ${name}`).join(" ");
  };

  const relative = (moment) => {
    const seconds = (moment - Date.now()) / 1000;
    if (Math.abs(seconds) < 1) return "now";
    const words = duration(Math.max(Math.round(Math.abs(seconds)), 1)).replace(".0 s", " s");
    return seconds > 0 ? `in ${words}` : `${words} ago`;
  };

  // Every moment on the page that is told relative to now stays true.
  const tick = () => {
    for (const time of document.querySelectorAll("time[datetime]")) {
      if (!/ ago$|^in |^now$/.test(time.textContent)) continue;
      const words = relative(new Date(time.dateTime));
      if (time.textContent !== words) time.textContent = words;
    }
  };
  setInterval(tick, 1000);

  const later = (seconds) => (seconds === null || seconds === undefined ? "" : `about ${duration(seconds)} left`);

  // At most one call at a time, and the next one not before `gap` milliseconds are over.
  const gently = (work, gap) => {
    let timer = null;
    let last = -Infinity;
    let isBusy = false;
    let isWanted = false;
    const run = async () => {
      timer = null;
      isBusy = true;
      isWanted = false;
      try {
        await work();
      } finally {
        isBusy = false;
        last = performance.now();
        if (isWanted) plan();
      }
    };
    const plan = () => {
      isWanted = true;
      if (timer === null && !isBusy) timer = setTimeout(run, Math.max(last + gap - performance.now(), 100));
    };
    return plan;
  };

  return { follow, duration, relative, later, gently };
})();
