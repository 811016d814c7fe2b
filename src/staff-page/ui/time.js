import { useEffect, useState } from "preact/hooks";
import { html } from "./html.js";

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const dayOfYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

/** Such as 14:05, or 3 Mar, 14:05 on another day, of another year with that. @param {string | number} at */
export function formatTime(at) {
  const date = new Date(at);
  const time = clock.format(date);
  const now = new Date();
  if (date.toDateString() === now.toDateString()) return time;
  const thisYear = date.getFullYear() === now.getFullYear();
  return `${(thisYear ? day : dayOfYear).format(date)}, ${time}`;
}

/** A moment in the reader's own time zone. @param {{ at: string }} props */
export function Time({ at }) {
  return html`<time datetime=${at} title=${whole.format(new Date(at))}>${formatTime(at)}</time>`;
}

/** The present in milliseconds, anew every `everyMs`. @param {number} everyMs */
export function useNow(everyMs) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
