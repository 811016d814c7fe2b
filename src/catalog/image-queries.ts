import type { Db } from "../db/pool.ts";

export interface ImageRow {
  name: string;
  content_type: string;
  /** Null: it lies in S3. */
  bytes: Buffer | null;
}

/** Where everybody finds the picture of this name. */
export const imageUrl = (name: string) => `/images/${name}`;

/** A picture, with its bytes unless they lie in S3. */
export async function findImage(sql: Db, name: string): Promise<ImageRow | undefined> {
  const [image] = await sql<ImageRow[]>`select name, content_type, bytes from images where name = ${name}`;
  return image;
}

export async function insertImage(tx: Db, { name, content_type, bytes }: ImageRow) {
  await tx`insert into images (name, content_type, bytes) values (${name}, ${content_type}, ${bytes})`;
}
