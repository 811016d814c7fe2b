// Labels of fulfillments.

/** @typedef {import("../orders/schemas.ts").Order["fulfillment"]} Fulfillment */

/** @param {Fulfillment} fulfillment */
export const kindOf = ({ type, table }) =>
  ({ pickup: "Pickup", dine_in: table ? `Table ${table}` : "Dine in", delivery: "Delivery" })[type];

/** Returns the lines of an address, the street first; none without an address. @param {Fulfillment} fulfillment */
export const addressOf = ({ address }) =>
  [
    address && [address.line1, address.house_number].filter(Boolean).join(" "),
    address?.entrance && `Entrance ${address.entrance}`,
    address?.floor && `Floor ${address.floor}`,
    address?.apartment && `Apartment ${address.apartment}`,
  ].filter(Boolean);
