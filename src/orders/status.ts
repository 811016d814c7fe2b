import { Counter, Histogram } from "prom-client";

export const statuses = ["waiting", "preparation", "ready", "delivered", "canceled"] as const;
export type Status = (typeof statuses)[number];

/** The only status that PATCH may set from each. `canceled` is reached by cancelling alone. */
export const nextStatus: Record<Status, Status | null> = {
  waiting: "preparation",
  preparation: "ready",
  ready: "delivered",
  delivered: null,
  canceled: null,
};

const statusTransitions = new Counter({
  name: "order_status_transitions_total",
  help: "Orders that entered a status",
  labelNames: ["to"],
});
const statusDuration = new Histogram({
  name: "order_status_duration_seconds",
  help: "Time that an order spent in a status, observed when it leaves it",
  labelNames: ["status"],
  buckets: [15, 30, 60, 120, 300, 600, 1200, 3600],
});

export function countTransition(from: Status, seconds: number, to: Status) {
  statusTransitions.inc({ to });
  statusDuration.observe({ status: from }, seconds);
}
