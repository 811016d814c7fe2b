// The board's state. Each function takes a board and returns the next one.

/** @typedef {import("../orders/schemas.ts").Order} Order */
/** @typedef {"waiting" | "preparation" | "ready"} Column */
/** @typedef {{ order: Order, column: Column, finishedAt: number | undefined }} Card */
/** @typedef {{ cards: Map<string, Card>, known: boolean }} Board `known`: a snapshot has come */

/** @type {readonly Column[]} */
export const columns = ["waiting", "preparation", "ready"];

/** @type {Record<Column, "preparation" | "ready" | "delivered">} */
export const next = { waiting: "preparation", preparation: "ready", ready: "delivered" };

/** A status never goes back: an event that would is outdated. */
const ranks = { waiting: 0, preparation: 1, ready: 2, delivered: 3, canceled: 3 };

/**
 * How long a canceled order is shown, so that its barista sees it. A delivered order is remembered as long, so that a
 * late event does not bring it back.
 */
const finishedKeptMs = 120_000;

/** @type {Board} */
export const emptyBoard = { cards: new Map(), known: false };

/**
 * Applies the open orders. Canceled orders stay visible.
 * @param {Board} board
 * @param {Order[]} orders
 * @returns {Board}
 */
export function applySnapshot({ cards }, orders) {
  const canceled = [...cards].filter(([, { order }]) => order.status === "canceled");
  /** @type {Board} */
  const fresh = { cards: new Map(canceled), known: true };
  return orders.reduce((board, order) => applyOrder(board, order, Date.now()), fresh);
}

/**
 * Applies a changed order, from an event or from a response.
 * @param {Board} board
 * @param {Order} order
 * @param {number} now in milliseconds
 * @returns {Board}
 */
export function applyOrder(board, order, now) {
  const { id, status } = order;
  const before = board.cards.get(id);
  if (before && ranks[status] < ranks[before.order.status]) return board;
  const column = isColumn(status) ? status : before?.column;
  if (!column) return board;
  const finishedAt = isColumn(status) ? undefined : (before?.finishedAt ?? now);
  const kept = [...board.cards].filter(([, card]) => isKept(card, now));
  return { ...board, cards: new Map(kept).set(id, { order, column, finishedAt }) };
}

/**
 * Removes a canceled order that was seen.
 * @param {Board} board
 * @param {string} id
 * @returns {Board}
 */
export function dismiss(board, id) {
  const card = board.cards.get(id);
  return card ? { ...board, cards: new Map(board.cards).set(id, { ...card, finishedAt: 0 }) } : board;
}

/**
 * Returns the cards of each column, the first due on top.
 * @param {Board} board
 * @param {number} now in milliseconds
 * @returns {Record<Column, Card[]>}
 */
export function columnsOf({ cards }, now) {
  const shown = [...cards.values()].filter((card) => card.order.status !== "delivered" && isKept(card, now));
  shown.sort((a, b) => dueFrom(a) - dueFrom(b) || a.order.id.localeCompare(b.order.id));
  /** @param {Column} column */
  const of = (column) => shown.filter((card) => card.column === column);
  return { waiting: of("waiting"), preparation: of("preparation"), ready: of("ready") };
}

/** @param {Card} card @param {number} now in milliseconds */
const isKept = ({ finishedAt }, now) => finishedAt === undefined || now - finishedAt < finishedKeptMs;

/**
 * Returns when an order's age begins, in milliseconds: at its creation or scheduled time; if ready, since then.
 * @param {Pick<Card, "order" | "column">} card
 */
function dueFrom({ order, column }) {
  if (column === "ready") return Date.parse(order.updated_at);
  return Date.parse(order.fulfillment.scheduled_at ?? order.created_at);
}

/** @typedef {"early" | "fine" | "soon" | "late"} Urgency */

/**
 * Minutes after which an age is amber, and red.
 * @type {Record<Column, { soon: number, late: number }>}
 */
const patience = {
  waiting: { soon: 3, late: 5 },
  preparation: { soon: 6, late: 10 },
  ready: { soon: 5, late: 10 },
};

/**
 * @param {Pick<Card, "order" | "column">} card
 * @param {number} now in milliseconds
 * @returns {{ minutes: number, urgency: Urgency }} minutes below 0: it is wanted later
 */
export function ageOf(card, now) {
  const age = (now - dueFrom(card)) / 60_000;
  const minutes = Math.trunc(age);
  const { soon, late } = patience[card.column];
  const urgency = age < 0 ? "early" : minutes >= late ? "late" : minutes >= soon ? "soon" : "fine";
  return { minutes, urgency };
}

/**
 * @param {Order["status"]} status
 * @returns {status is Column}
 */
const isColumn = (status) => status === "waiting" || status === "preparation" || status === "ready";
