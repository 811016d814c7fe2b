// What a picture is, and where it lies: in PostgreSQL, so that every instance and every backup has it, or in S3.
import type { Settings } from "../config.ts";

export const maxImageBytes = 5 * 1024 * 1024;

const kinds = [
  { type: "image/png", extension: "png", begins: /^89504e470d0a1a0a/ },
  { type: "image/jpeg", extension: "jpg", begins: /^ffd8ff/ },
  // RIFF, four bytes of length, WEBP.
  { type: "image/webp", extension: "webp", begins: /^52494646.{8}57454250/ },
];

export const imageTypes = kinds.map(({ type }) => type);

/** What the bytes are, whatever their sender calls them; undefined for anything but PNG, JPEG and WebP. */
export function kindOf(bytes: Buffer) {
  const beginning = bytes.toString("hex", 0, 12);
  return kinds.find(({ begins }) => begins.test(beginning));
}

export interface ImageStore {
  write: (name: string, type: string, bytes: Buffer) => Promise<void>;
  /** Undefined for one that is not there. */
  read: (name: string) => Promise<Buffer | undefined>;
  remove: (name: string) => Promise<void>;
  close: () => void;
}

/** The bucket, if one is configured; the client is loaded only then. It finds its credentials as it always does. */
export async function openImageStore(settings: Settings): Promise<ImageStore | undefined> {
  const { s3Bucket: Bucket, s3Endpoint, s3Region: region } = settings;
  if (!Bucket) return undefined;
  const s3 = await import("@aws-sdk/client-s3");
  const client = new s3.S3Client({
    region,
    // A server of one's own has no name for each bucket, and may not know the checksums that Amazon's takes.
    ...(s3Endpoint && { endpoint: s3Endpoint, forcePathStyle: true }),
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: { connectionTimeout: 2_000, requestTimeout: 10_000 },
  });
  return {
    write: async (Key, ContentType, Body) => {
      await client.send(new s3.PutObjectCommand({ Bucket, Key, ContentType, Body }));
    },
    read: async (Key) => {
      try {
        const { Body } = await client.send(new s3.GetObjectCommand({ Bucket, Key }));
        return Buffer.from(await Body!.transformToByteArray());
      } catch (error) {
        if (error instanceof s3.NoSuchKey) return undefined;
        throw error;
      }
    },
    remove: async (Key) => {
      await client.send(new s3.DeleteObjectCommand({ Bucket, Key }));
    },
    close: () => client.destroy(),
  };
}
