// The board: orders in three columns. One tap moves an order on.
import { useEffect, useLayoutEffect, useReducer, useRef, useState } from "preact/hooks";
import { orderStatuses } from "./admin/labels.js";
import { ApiProblem, call, get } from "./api.js";
import {
  ageOf,
  applyOrder,
  applySnapshot,
  columns,
  columnsOf,
  dismiss,
  emptyBoard,
  next,
} from "./board-state.js";
import { addressOf, kindOf } from "./fulfillment.js";
import { SoldOut } from "./sold-out.js";
import { chime, setSound, wantsSound } from "./sound.js";
import { follow } from "./stream.js";
import { announce, toastError } from "./ui/announce.js";
import { html } from "./ui/html.js";
import { formatTime, useNow } from "./ui/time.js";
import { ViewHead } from "./ui/view-head.js";

/** @typedef {import("./board-state.js").Board} Board */
/** @typedef {import("./board-state.js").Card} Card */
/** @typedef {import("./board-state.js").Column} Column */
/** @typedef {import("./board-state.js").Order} Order */

/** Ages are shown in minutes. */
const ageMs = 5_000;

/**
 * A card that has just moved can't be tapped for this long. A double tap would otherwise move the wrong order, and no
 * order moves back.
 */
const settleMs = 700;

/** @type {Record<Column, { title: string, none: string, tap: string }>} */
const texts = {
  waiting: { title: "Waiting", none: "No orders.", tap: "Start" },
  preparation: { title: "Preparation", none: "No orders.", tap: "Ready" },
  ready: { title: "Ready", none: "No orders.", tap: "Hand over" },
};

/** Within a sentence. @param {Order["status"]} status */
const inWords = (status) => orderStatuses[status][0].toLowerCase();

/** @param {Board} board @param {(board: Board) => Board} change */
const change = (board, change) => change(board);

export function View() {
  const [board, update] = useReducer(change, emptyBoard);
  const [connection, setConnection] = useState(
    /** @type {{ state: import("./stream.js").StreamState, since: number }} */ ({
      state: "connecting",
      since: 0,
    }),
  );
  const [shown, setShown] = useState(/** @type {Column} */ ("waiting"));
  const [sellingOut, setSellingOut] = useState(false);
  const now = useNow(ageMs);
  const lists = columnsOf(board, now);
  const settling = useSettling(lists);
  const focusNext = useFocusAfterTap(lists);
  useNewOrders(board);

  useEffect(
    () =>
      follow(
        "/admin/orders/events",
        ({ type, data }) =>
          update((now) =>
            type === "snapshot" ? applySnapshot(now, data.orders) : applyOrder(now, data.data, Date.now()),
          ),
        (state) =>
          setConnection((before) => (before.state === state ? before : { state, since: Date.now() })),
      ),
    [],
  );

  /** Moves an order on. Throws an ApiProblem. @param {Card} card */
  async function advance({ order: { id, number }, column }) {
    focusNext(column, id);
    /** @type {Order} */
    let moved;
    try {
      moved = await call("PATCH", `/orders/${id}/status`, { body: { status: next[column] } });
      announce(`Order ${number} is ${inWords(moved.status)}`);
    } catch (error) {
      if (!(error instanceof ApiProblem && error.code === "invalid_transition")) throw error;
      moved = await get(`/orders/${id}`);
      toastError(`Another user was faster: order ${number} is ${inWords(moved.status)} now.`);
    }
    update((now) => applyOrder(now, moved, Date.now()));
  }

  return html`
    <${ViewHead} title="Board">
      <${Connection} ...${connection} known=${board.known} />
      <div class="tools">
        <${SoundSwitch} />
        <button type="button" class="button" onClick=${() => setSellingOut(true)}>Sold out…</button>
      </div>
    <//>
    ${
      connection.state === "lost" &&
      html`<p class="connection-lost" role="alert">
        <strong>The connection is lost.</strong> ${
          board.known
            ? `Shown as of ${formatTime(connection.since)}. The page reconnects by itself.`
            : "The page reconnects by itself."
        }
      </p>`
    }
    ${
      connection.state === "refused" &&
      html`<p class="connection-lost" role="alert"><strong>This account may no longer see the orders.</strong> Sign in with another account.</p>`
    }
    <div class="column-tabs" role="group" aria-label="Column">
      ${columns.map(
        (column) => html`
          <button type="button" aria-pressed=${shown === column} onClick=${() => setShown(column)}>
            ${texts[column].title} <span class="count">${lists[column].length}</span>
          </button>
        `,
      )}
    </div>
    <div class="board" data-shown=${shown}>
      ${columns.map(
        (column) => html`
          <section key=${column} class=${`column ${column}`} aria-labelledby=${`column-${column}`}>
            <h2 id=${`column-${column}`} tabindex="-1">
              ${texts[column].title} <span class="count">${lists[column].length}</span>
            </h2>
            ${
              lists[column].length === 0
                ? html`<p class="none">${board.known ? texts[column].none : "Loading…"}</p>`
                : html`<ul>
                    ${lists[column].map(
                      (card) => html`
                        <${CardView}
                          key=${card.order.id}
                          card=${card}
                          now=${now}
                          settling=${settling(card.order.id)}
                          onTap=${advance}
                          onDismiss=${() => update((now) => dismiss(now, card.order.id))}
                        />
                      `,
                    )}
                  </ul>`
            }
          </section>
        `,
      )}
    </div>
    ${sellingOut && html`<${SoldOut} onClose=${() => setSellingOut(false)} />`}
  `;
}

/**
 * @param {object} props
 * @param {Card} props.card
 * @param {number} props.now
 * @param {boolean} props.settling
 * @param {(card: Card) => Promise<void>} props.onTap
 * @param {() => void} props.onDismiss
 */
function CardView({ card, now, settling, onTap, onDismiss }) {
  const { order, column } = card;
  const [saving, setSaving] = useState(false);
  const [refusal, setRefusal] = useState(/** @type {string | undefined} */ (undefined));
  const { minutes, urgency } = ageOf(card, now);
  const canceled = order.status === "canceled";
  const locked = saving || settling;

  async function tap() {
    if (locked) return;
    if (canceled) return onDismiss();
    setSaving(true);
    setRefusal(undefined);
    try {
      await onTap(card);
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      setRefusal(`${error.message} Tap again.`);
    } finally {
      setSaving(false);
    }
  }

  return html`
    <li class=${`card ${canceled ? "canceled" : urgency}`} data-order=${order.id}>
      <header>
        <h3><span class="unseen">Order </span>${order.number}</h3>
        ${canceled ? html`<p class="age late">Canceled</p>` : html`<${Age} ...${{ minutes, urgency, order }} />`}
      </header>
      <${Fulfillment} fulfillment=${order.fulfillment} />
      <ul class="lines">${order.items.map((item) => html`<${Line} key=${item.id} item=${item} />`)}</ul>
      ${order.notes && html`<p class="note">${order.notes}</p>`}
      ${refusal && html`<p class="error" role="alert">${refusal}</p>`}
      <button
        type="button"
        class=${canceled ? "button tap" : "button primary tap"}
        aria-busy=${saving}
        aria-disabled=${locked}
        onClick=${tap}
      >
        ${canceled ? "Take it off" : texts[column].tap}<span class="unseen"> ${order.number}</span>
      </button>
    </li>
  `;
}

/** @param {{ item: Order["items"][number] }} props */
function Line({ item }) {
  const choices = [item.variation_name, ...item.options.map(({ name }) => name)].filter(Boolean);
  return html`
    <li>
      <span class="quantity">${item.quantity}<span aria-hidden="true"> ×</span></span>
      <div>
        <strong>${item.product_name}</strong>
        ${choices.length > 0 && html`<p class="choices">${choices.join(", ")}</p>`}
        ${item.notes && html`<p class="note">${item.notes}</p>`}
      </div>
    </li>
  `;
}

/** @param {{ fulfillment: Order["fulfillment"] }} props */
function Fulfillment({ fulfillment }) {
  const { type, address, phone_number, scheduled_at } = fulfillment;
  return html`
    <div class="fulfillment">
      <p><span class=${`kind ${type}`}>${kindOf(fulfillment)}</span>${scheduled_at && html` for <strong>${formatTime(scheduled_at)}</strong>`}</p>
      ${address && html`<p>${addressOf(fulfillment).join(", ")}</p>`}
      ${address?.notes && html`<p class="note">${address.notes}</p>`}
      ${phone_number && html`<p>Phone ${phone_number}</p>`}
    </div>
  `;
}

/** @param {{ minutes: number, urgency: import("./board-state.js").Urgency, order: Order }} props */
function Age({ minutes, urgency, order }) {
  const label = { early: "", fine: "", soon: "getting late", late: "late" }[urgency];
  const age = minutes < 0 ? `in ${inHours(-minutes)}` : minutes === 0 ? "now" : inHours(minutes);
  return html`
    <p class=${`age ${urgency}`} title=${`Placed at ${formatTime(order.created_at)}`}>${age}${label && html`, <strong>${label}</strong>`}</p>
  `;
}

/** @param {number} minutes */
const inHours = (minutes) =>
  minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;

/** @param {{ state: import("./stream.js").StreamState, known: boolean }} props */
function Connection({ state, known }) {
  const label = {
    connecting: "Connecting",
    live: known ? "Live" : "Connecting",
    lost: "Reconnecting",
    refused: "Not connected",
  }[state];
  return html`<p class=${`connection ${state}`} role="status">${label}</p>`;
}

function SoundSwitch() {
  const [on, setOn] = useState(wantsSound());
  const toggle = () => {
    setSound(!on);
    setOn(!on);
  };
  return html`<button type="button" class="button switch" role="switch" aria-checked=${on} onClick=${toggle}>Sound</button>`;
}

/**
 * Returns whether a card has just moved.
 * @param {Record<Column, Card[]>} lists
 * @returns {(id: string) => boolean}
 */
function useSettling(lists) {
  const places = useRef(/** @type {Map<string, string>} */ (new Map()));
  const since = useRef(/** @type {Map<string, number>} */ (new Map()));
  const [, again] = useState({});
  /** @type {Map<string, string>} */
  const current = new Map();
  for (const column of columns)
    for (const [nth, { order }] of lists[column].entries()) current.set(order.id, `${column} ${nth}`);
  const moved = [...current].filter(([id, place]) => places.current.get(id) !== place);
  // Not in an effect: the card must never be tappable in between.
  for (const [id] of moved) since.current.set(id, Date.now());
  places.current = current;
  for (const [id, at] of since.current) if (Date.now() - at >= settleMs) since.current.delete(id);
  useEffect(() => {
    if (since.current.size === 0) return;
    const timer = setTimeout(() => again({}), settleMs);
    return () => clearTimeout(timer);
  });
  return (id) => since.current.has(id);
}

/**
 * Moves the focus of a leaving card to its successor, otherwise to the column's heading.
 * @param {Record<Column, Card[]>} lists
 * @returns {(column: Column, id: string) => void}
 */
function useFocusAfterTap(lists) {
  const tapped = useRef(/** @type {{ column: Column, id: string, nth: number } | undefined} */ (undefined));
  useLayoutEffect(() => {
    if (!tapped.current) return;
    const { column, id, nth } = tapped.current;
    if (lists[column].some(({ order }) => order.id === id)) return;
    tapped.current = undefined;
    if (document.activeElement !== document.body) return;
    const section = document.querySelector(`.column.${column}`);
    const buttons = section?.querySelectorAll(".card .tap") ?? [];
    const target = buttons[Math.min(nth, buttons.length - 1)] ?? section?.querySelector("h2");
    /** @type {HTMLElement | null | undefined} */ (target)?.focus({ preventScroll: true });
  });
  return (column, id) => {
    tapped.current = { column, id, nth: lists[column].findIndex(({ order }) => order.id === id) };
  };
}

/**
 * Announces each order that is newer than the first snapshot.
 * @param {Board} board
 */
function useNewOrders({ cards, known }) {
  const seen = useRef(/** @type {Set<string> | undefined} */ (undefined));
  useEffect(() => {
    if (!known) return;
    const fresh = seen.current
      ? [...cards.values()].filter(({ order }) => order.status === "waiting" && !seen.current?.has(order.id))
      : [];
    seen.current = new Set(cards.keys());
    if (fresh.length === 0) return;
    chime();
    announce(
      fresh
        .map(({ order: { number, items } }) => `New order ${number}: ${items.map(inBrief).join(", ")}`)
        .join(". "),
    );
  }, [cards, known]);
}

/** @param {Order["items"][number]} item */
const inBrief = ({ quantity, product_name, variation_name }) =>
  [quantity, product_name, variation_name].filter(Boolean).join(" ");
