import { currency } from "../api.js";

const format = new Intl.NumberFormat(undefined, { style: "currency", currency });

/** Takes cents, gives what people read: 450 is $4.50. @param {number} cents */
export const formatMoney = (cents) => format.format(cents / 100);

/** Takes the cents that are added or taken off, gives what people read: 60 is +$0.60. @param {number} cents */
export const formatChange = (cents) => `${cents < 0 ? "−" : "+"}${formatMoney(Math.abs(cents))}`;

/**
 * Parses "4.5" or "4,50" into cents. Returns undefined for other text.
 * @param {string} text
 * @returns {number | undefined}
 */
export function parseMoney(text) {
  const match = /^([+-]?)(\d{1,7})(?:[.,](\d{1,2}))?$/.exec(text.trim());
  if (!match) return undefined;
  const cents = Number(match[2]) * 100 + Number((match[3] ?? "").padEnd(2, "0"));
  return match[1] === "-" ? -cents : cents;
}

/** Takes cents, gives what `parseMoney` reads, for a field to begin with. @param {number} cents */
export const typedMoney = (cents) => (cents / 100).toFixed(2);
