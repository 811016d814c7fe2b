import type { Producer } from "@platformatic/kafka";
import { PermanentSinkError, type Sink } from "./delivery.ts";

const topic = "ristretto.events";
/** Of one request with its retries. The delivery retries a broker that is down. */
const requestTimeoutMs = 10_000;
/** A broker's errors for a record that it will never accept. */
const permanentErrors = ["MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE", "INVALID_RECORD"];

/** Keyed by subject, so that each subject's events stay in order. */
export function openKafkaSink(brokers: string[]): Sink {
  let opening: Promise<Producer<string, string, string, string>> | undefined;

  async function openProducer() {
    // Loaded only where brokers are configured.
    const { Admin, Producer, stringSerializers } = await import("@platformatic/kafka");
    const options = {
      clientId: "ristretto",
      bootstrapBrokers: brokers,
      connectTimeout: 5_000,
      requestTimeout: requestTimeoutMs,
      // An idempotent producer with fewer than two retries never ends.
      retries: 2,
      retryDelay: 200,
    };
    const admin = new Admin(options);
    try {
      // -1: the broker's own defaults.
      await admin.createTopics({ topics: [topic], partitions: -1, replicas: -1 });
    } catch (error) {
      if (!hasErrorId(error, "TOPIC_ALREADY_EXISTS")) throw error;
    } finally {
      await admin.close();
    }
    // Idempotent: all replicas acknowledge, and a request that the client repeats is written once.
    return new Producer({ ...options, idempotent: true, serializers: stringSerializers });
  }

  async function discard() {
    const discarded = opening;
    opening = undefined;
    try {
      const producer = await discarded;
      await producer?.close(true);
    } catch {
      // The producer never opened, or its connections are lost.
    }
  }

  return {
    name: "kafka",
    async publish(events) {
      if (events.length === 0) return { cursor: null };
      opening ??= openProducer();
      const messages = events.map((event) => ({
        topic,
        key: event.subject_id,
        value: JSON.stringify(event),
      }));
      try {
        await (await opening).send({ messages });
        return { cursor: null };
      } catch (error) {
        // The broker's expected sequence is unknown now. A new producer starts afresh; consumers drop repeats by id.
        await discard();
        if (permanentErrors.some((id) => hasErrorId(error, id)))
          throw new PermanentSinkError(error instanceof Error ? error.message : String(error), {
            cause: error,
          });
        throw error;
      }
    },
    close: discard,
  };
}

function hasErrorId(error: unknown, id: string): boolean {
  const found = error as { apiId?: string; errors?: unknown[]; cause?: unknown } | undefined;
  return (
    found?.apiId === id ||
    (found?.errors ?? []).some((inner) => hasErrorId(inner, id)) ||
    (found?.cause !== undefined && hasErrorId(found.cause, id))
  );
}
