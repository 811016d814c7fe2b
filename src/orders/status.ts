export const statuses = ["waiting", "preparation", "ready", "delivered", "canceled"] as const;
export type Status = (typeof statuses)[number];

/** The one status that may follow by PATCH. `canceled` is reached only by cancelling; it and `delivered` are ends. */
export const next: Record<Status, Status | null> = {
  waiting: "preparation",
  preparation: "ready",
  ready: "delivered",
  delivered: null,
  canceled: null,
};
