import { v7 } from "uuid";

/** Returns a new UUIDv7, which sorts after every id that this process made before. */
export const newId = () => v7();
