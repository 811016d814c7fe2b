import { resolve } from "node:path";

/** What clients are generated from, and what a change is compared with. */
export const committedFile = resolve(import.meta.dirname, "../../openapi.json");
