// Picture formats and storage: PostgreSQL, so that every instance and backup has them, or S3 if configured.
import type { Settings } from "../config.ts";

export const maxImageBytes = 5 * 1024 * 1024;

const kinds = [
  { type: "image/png", extension: "png", magic: /^89504e470d0a1a0a/ },
  { type: "image/jpeg", extension: "jpg", magic: /^ffd8ff/ },
  // RIFF, four bytes of length, WEBP
  { type: "image/webp", extension: "webp", magic: /^52494646.{8}57454250/ },
];

export const imageTypes = kinds.map(({ type }) => type);

/** Returns the format by content, not by Content-Type; undefined for other formats than PNG, JPEG and WebP. */
export function detectImageType(bytes: Buffer) {
  const start = bytes.toString("hex", 0, 12);
  return kinds.find(({ magic }) => magic.test(start));
}

export interface ImageStore {
  write: (name: string, type: string, bytes: Buffer) => Promise<void>;
  read: (name: string) => Promise<Buffer | undefined>;
  remove: (name: string) => Promise<void>;
  close: () => void;
}

export async function openImageStore(settings: Settings): Promise<ImageStore | undefined> {
  const { s3Bucket: Bucket, s3Endpoint, s3Region: region } = settings;
  if (!Bucket) return undefined;
  const s3 = await import("@aws-sdk/client-s3");
  const client = new s3.S3Client({
    region,
    // Other S3 servers may lack host names for buckets, and Amazon's checksums.
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
