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

/** Such as 45 s, 3 min 20 s, 4 min or 1 h 5 min. @param {number} seconds */
export function formatDuration(seconds) {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3_600), Math.floor((whole % 3_600) / 60)];
  const parts = [
    [hours, "h"],
    [minutes, "min"],
    [hours > 0 ? 0 : whole % 60, "s"],
  ];
  const told = parts.filter(([count]) => count !== 0).map(([count, unit]) => `${count} ${unit}`);
  return told.join(" ") || "0 s";
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
