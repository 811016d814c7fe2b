import type { Db } from "../db/pool.ts";

export interface ImageRow {
  name: string;
  content_type: string;
  /** Null if the bytes are in S3. */
  bytes: Buffer | null;
}

export const imageUrl = (name: string) => `/images/${name}`;

export async function findImage(sql: Db, name: string): Promise<ImageRow | undefined> {
  const [image] = await sql<ImageRow[]>`select name, content_type, bytes from images where name = ${name}`;
  return image;
}

export async function insertImage(tx: Db, { name, content_type, bytes }: ImageRow) {
  await tx`insert into images (name, content_type, bytes) values (${name}, ${content_type}, ${bytes})`;
}
