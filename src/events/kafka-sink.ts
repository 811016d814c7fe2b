import type { Producer } from "@platformatic/kafka";
import { Refused, type Sink } from "./delivery.ts";

const topic = "ristretto.events";
/** For one request, its tries included; a broker that is gone is tried again by the delivery. */
const requestTimeoutMs = 10_000;
/** What a broker answers to a record that it will never take. */
const refusals = ["MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE", "INVALID_RECORD"];

/** The topic in Kafka, keyed by subject: what is told of one subject stays in order. The topic is made if missing. */
export function openKafkaSink(brokers: string[]): Sink {
  let open: Promise<Producer<string, string, string, string>> | undefined;

  async function openProducer() {
    // Loaded only where there are brokers.
    const { Admin, Producer, stringSerializers } = await import("@platformatic/kafka");
    const options = {
      clientId: "ristretto",
      bootstrapBrokers: brokers,
      connectTimeout: 5_000,
      requestTimeout: requestTimeoutMs,
      // Beside its own retries the delivery has no need of many; an idempotent producer with fewer than two never ends.
      retries: 2,
      retryDelay: 200,
    };
    const admin = new Admin(options);
    try {
      // The broker's own defaults for a topic, unless it has one.
      await admin.createTopics({ topics: [topic], partitions: -1, replicas: -1 });
    } catch (error) {
      if (!isAnswer(error, "TOPIC_ALREADY_EXISTS")) throw error;
    } finally {
      await admin.close();
    }
    // Idempotent: acknowledged by all replicas, and a request that the client repeats is written once.
    return new Producer({ ...options, idempotent: true, serializers: stringSerializers });
  }

  async function discard() {
    const opening = open;
    open = undefined;
    try {
      const producer = await opening;
      await producer?.close(true);
    } catch {
      // It never opened, or its connections are gone.
    }
  }

  return {
    name: "kafka",
    async publish(events) {
      if (events.length === 0) return { mark: null };
      open ??= openProducer();
      const messages = events.map((event) => ({
        topic,
        key: event.subject_id,
        value: JSON.stringify(event),
      }));
      try {
        await (await open).send({ messages });
        return { mark: null };
      } catch (error) {
        // What of it arrived is not known, and so neither is the sequence that the broker expects of this producer.
        // Another begins anew; what is sent twice has the same id.
        await discard();
        if (refusals.some((refusal) => isAnswer(error, refusal)))
          throw new Refused(error instanceof Error ? error.message : String(error), { cause: error });
        throw error;
      }
    },
    close: discard,
  };
}

/** Whether somewhere in what the client threw is this answer of the broker. */
function isAnswer(error: unknown, id: string): boolean {
  const found = error as { apiId?: string; errors?: unknown[]; cause?: unknown } | undefined;
  return (
    found?.apiId === id ||
    (found?.errors ?? []).some((inner) => isAnswer(inner, id)) ||
    (found?.cause !== undefined && isAnswer(found.cause, id))
  );
}
