// Sales, refunds and waiting times of a day.
import { useEffect, useRef } from "preact/hooks";
import { get } from "../api.js";
import { follow } from "../stream.js";
import { html } from "../ui/html.js";
import { formatMoney } from "../ui/money.js";
import { Tabs } from "../ui/tabs.js";
import { formatDuration } from "../ui/time.js";
import { QueryState, useQuery } from "../ui/use-query.js";
import { ViewHead } from "../ui/view-head.js";

/** @typedef {import("../../orders/schemas.ts").Sales} Sales */
/** @typedef {{ label: string, title: string, orders: number, canceled: number, revenue_cents: number }} Bar */

/** Delay that groups several new orders into one read. */
const gatherMs = 1_000;
/** Interval of reads for a new hour or day, which no stream reports. */
const minuteMs = 60_000;

/** Hours that are shown even without sales. */
const usualHours = { first: 7, last: 18 };

/** @type {Record<string, { label: string, daysBack: number, days: number }>} */
const spans = {
  today: { label: "Today", daysBack: 0, days: 1 },
  yesterday: { label: "Yesterday", daysBack: 1, days: 1 },
  week: { label: "Last 7 days", daysBack: 6, days: 7 },
};

/** Midnight in the reader's own time zone, so many days from today. @param {number} days */
function midnight(days) {
  const day = new Date();
  day.setHours(0, 0, 0, 0);
  day.setDate(day.getDate() + days);
  return day;
}

/** @param {{ route: import("../router.js").Route }} props */
export function View({ route }) {
  const wanted = route.query.get("span") ?? "";
  const name = Object.hasOwn(spans, wanted) ? wanted : "today";
  const span = /** @type {typeof spans[string]} */ (spans[name]);

  const reading = /** @type {import("../ui/use-query.js").QueryResult<Sales>} */ (
    useQuery(name, () => {
      const from = midnight(-span.daysBack);
      const to = midnight(span.days - span.daysBack);
      return get("/admin/sales", { from: from.toISOString(), to: to.toISOString() });
    })
  );
  useNews(reading.reload);
  const sales = reading.value;

  return html`
    <${ViewHead} title="Today" />
    <${Tabs}
      label="Days"
      tabs=${Object.entries(spans).map(([key, { label }]) => ({ href: `#/today?span=${key}`, label, current: key === name }))}
    />
    <${QueryState} query=${reading} />
    ${sales && html`<${Figures} sales=${sales} /><${Chart} sales=${sales} byDay=${span.days > 1} />`}
  `;
}

/** Calls `reload` when an order has changed, and each minute. @param {() => Promise<void>} reload */
function useNews(reload) {
  const latest = useRef(reload);
  latest.current = reload;
  useEffect(() => {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let gathering;
    const soon = () => {
      gathering ??= setTimeout(() => {
        gathering = undefined;
        void latest.current();
      }, gatherMs);
    };
    const stop = follow("/admin/orders/events", soon, () => {});
    const timer = setInterval(() => latest.current(), minuteMs);
    return () => {
      stop();
      clearInterval(timer);
      clearTimeout(gathering);
    };
  }, []);
}

/** @param {{ sales: Sales }} props */
function Figures({ sales: { orders, canceled, revenue_cents, refunded_cents, average_seconds } }) {
  /** @type {[string, string, string?][]} */
  const figures = [
    ["Orders", String(orders)],
    [
      "Revenue",
      formatMoney(revenue_cents),
      refunded_cents > 0 ? `${formatMoney(revenue_cents - refunded_cents)} after refunds` : undefined,
    ],
    ["Average order", orders > 0 ? formatMoney(revenue_cents / orders) : "–"],
    ["Refunded", formatMoney(refunded_cents)],
    ["Canceled", String(canceled)],
  ];
  /** @param {number | null} seconds */
  const duration = (seconds) => (seconds === null ? "–" : formatDuration(seconds));
  return html`
    <dl class="day-figures">
      ${figures.map(
        ([name, value, more]) =>
          html`<div key=${name}><dt>${name}</dt><dd class="value">${value}</dd>${more && html`<dd class="quiet">${more}</dd>`}</div>`,
      )}
    </dl>
    <section class="part" aria-labelledby="how-long">
      <h2 id="how-long">How long orders take, on average</h2>
      <dl class="day-figures">
        <div class="waiting"><dt>Waiting</dt><dd class="value">${duration(average_seconds.waiting)}</dd></div>
        <div class="preparation"><dt>In preparation</dt><dd class="value">${duration(average_seconds.preparation)}</dd></div>
        <div class="ready"><dt>Ready, until handed over</dt><dd class="value">${duration(average_seconds.ready)}</dd></div>
      </dl>
    </section>
  `;
}

/**
 * Orders over time, as bars and as a table.
 * @param {{ sales: Sales, byDay: boolean }} props
 */
function Chart({ sales, byDay }) {
  const bars = byDay ? daysOf(sales) : hoursOf(sales);
  const most = Math.max(...bars.map(({ orders }) => orders), 1);
  const busy = bars.filter(({ orders, canceled }) => orders + canceled > 0);
  const title = byDay ? "Orders per day" : "Orders per hour";
  const width = 100 / bars.length;
  // In percent of the chart's height: labels above and below the bars.
  const [top, bottom] = [10, 87];
  return html`
    <section class="part sheet chart" aria-labelledby="chart-title">
      <h2 id="chart-title">${title}</h2>
      <svg role="img" aria-label=${`${title}: the table below tells the same`} class=${bars.length > 10 ? "dense" : ""}>
        ${bars.map(({ label, title, orders }, nth) => {
          const height = ((bottom - top) * orders) / most;
          const middle = `${(nth + 0.5) * width}%`;
          return html`
            <g key=${label}>
              <title>${title}</title>
              ${
                orders > 0 &&
                html`
                  <rect x=${`${(nth + 0.15) * width}%`} width=${`${0.7 * width}%`} y=${`${bottom - height}%`} height=${`${height}%`} rx="3" />
                  <text class="value" x=${middle} y=${`${bottom - height - 2.5}%`}>${orders}</text>
                `
              }
              <text x=${middle} y="98%">${label}</text>
            </g>
          `;
        })}
        <line x1="0" x2="100%" y1=${`${bottom}%`} y2=${`${bottom}%`} />
      </svg>
      <details>
        <summary>As a table</summary>
        ${
          busy.length === 0
            ? html`<p class="quiet">Nothing was ordered.</p>`
            : html`<table>
                <thead>
                  <tr><th>${byDay ? "Day" : "Hour"}</th><th class="number">Orders</th><th class="number">Revenue</th><th class="number">Canceled</th></tr>
                </thead>
                <tbody>
                  ${busy.map(
                    ({ label, title, orders, canceled, revenue_cents }) => html`
                      <tr key=${label}>
                        <th scope="row">${title}</th>
                        <td class="number">${orders}</td>
                        <td class="number">${formatMoney(revenue_cents)}</td>
                        <td class="number">${canceled}</td>
                      </tr>
                    `,
                  )}
                </tbody>
              </table>`
        }
      </details>
    </section>
  `;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "short" });
const wholeDay = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

/** The hours of a day in which a shop is usually open, and those in which something was sold. @param {Sales} sales @returns {Bar[]} */
function hoursOf({ from, hours }) {
  const sold = hours.map(({ starts_at }) => new Date(starts_at).getHours());
  const first = Math.min(usualHours.first, ...sold);
  const last = Math.max(usualHours.last, ...sold);
  return Array.from({ length: last - first + 1 }, (_, nth) => {
    const start = new Date(from);
    start.setHours(first + nth);
    const end = new Date(start);
    end.setHours(first + nth + 1);
    return sum(hours, start, end, String(first + nth), `${clock.format(start)} to ${clock.format(end)}`);
  });
}

/** @param {Sales} sales @returns {Bar[]} */
function daysOf({ from, to, hours }) {
  const bars = [];
  for (let start = new Date(from); start < new Date(to); ) {
    const end = new Date(start);
    end.setDate(end.getDate() + 1);
    bars.push(sum(hours, start, end, weekday.format(start), wholeDay.format(start)));
    start = end;
  }
  return bars;
}

/**
 * @param {Sales["hours"]} hours @param {Date} start @param {Date} end @param {string} label @param {string} title
 * @returns {Bar}
 */
function sum(hours, start, end, label, title) {
  const within = hours.filter(({ starts_at }) => {
    const at = new Date(starts_at);
    return at >= start && at < end;
  });
  /** @param {"orders" | "canceled" | "revenue_cents"} key */
  const total = (key) => within.reduce((sum, hour) => sum + hour[key], 0);
  return {
    label,
    title,
    orders: total("orders"),
    canceled: total("canceled"),
    revenue_cents: total("revenue_cents"),
  };
}
