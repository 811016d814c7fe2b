import { v7 as uuidv7 } from "uuid";
import { newId } from "../db/ids.ts";
import type { Db } from "../db/pool.ts";
import type { PageRequest } from "../http/pagination.ts";
import type { Span } from "../orders/queries.ts";
import type { Event, EventType } from "./schemas.ts";

interface NewEvent {
  type: EventType;
  subject_id: string;
  data: unknown;
}

/** Writes what happened; in the transaction of the change, so that it is known exactly when the change is true. */
export async function insertEvent(sql: Db, event: NewEvent) {
  // Sent as text, here and below: sql.json would send jsonb, which takes it apart.
  await sql`
    insert into events (id, type, subject_id, data)
    values (${newId()}, ${event.type}, ${event.subject_id}, ${JSON.stringify(event.data)}::text::json)`;
}

/** The same for many at once, in one statement. */
export async function insertEvents(sql: Db, events: NewEvent[]) {
  const rows = events.map((event) => ({ ...event, id: newId() }));
  await sql`
    insert into events (id, type, subject_id, data)
    select id, type, subject_id, data
    from json_to_recordset(${JSON.stringify(rows)}::text::json)
      as row (id uuid, type text, subject_id uuid, data json)`;
}

/** What stamping is locked by, in the two-number form that nothing else here uses. */
const relayLock = [7, 1] as const;

/**
 * Whether this connection's session has the relay's lock, which it takes if nobody has, and whether events wait. The lock
 * is the session's until it ends, whatever becomes of the transaction; asking again is harmless.
 */
export async function tryLead(relay: Db): Promise<{ leads: boolean; waiting: boolean }> {
  const [row] = await relay<[{ leads: boolean; waiting: boolean }]>`
    select
      pg_try_advisory_lock(${relayLock[0]}::int, ${relayLock[1]}::int) as leads,
      -- Not exists (...): of events of which many seemed to wait, PostgreSQL would look at one after the other.
      (select written_no from events where seq is null order by written_no limit 1) is not null as waiting`;
  return row;
}

/** Stamps the next events, at most `limit`; gives how many. Only for whoever leads: see relay.ts. */
export async function stampEvents(tx: Db, limit: number): Promise<number> {
  const [row] = await tx<[{ stamped: number }]>`
    with batch as (
      select id, row_number() over (order by written_no) as nth
      from (select id, written_no from events where seq is null order by written_no limit ${limit}) as next
    ),
    size as (
      select count(*)::int as stamped from batch
    ),
    relay as (
      update event_relay set last_seq = last_seq + stamped
      from size
      where stamped > 0
      returning last_seq - stamped as base
    ),
    stamping as (
      update events e set seq = base + nth from batch, relay where e.id = batch.id
    )
    select stamped, case when stamped > 0 then pg_notify('events_stamped', '') end from size`;
  return row.stamped;
}

/** An event as it goes out. seq as a double, which is exact up to 2^53: a bigint would arrive as text. */
const eventColumns = (sql: Db) => sql`id, seq::float8 as seq, type, subject_id, created_at, data`;

/** The next stamped events, in order. */
export const listEventsAfter = (sql: Db, seq: number, limit: number) => sql<Event[]>`
  select ${eventColumns(sql)} from events where seq > ${seq} order by seq limit ${limit}`;

/** One row more than the page holds, newest first; of one subject, or all. */
export const listEvents = (sql: Db, subjectId: string | undefined, page: PageRequest) => sql<Event[]>`
  select ${eventColumns(sql)} from events
  where seq is not null
    ${subjectId ? sql`and subject_id = ${subjectId}` : sql``}
    ${page.after ? sql`and id < ${page.after}` : sql``}
  order by id desc
  limit ${page.limit + 1}`;

/** How long orders stayed in each status, in seconds, of those that were moved on in a span; null where none was. */
export async function averageSecondsInStatus(sql: Db, { from, to }: Span) {
  // By id, which begins with the time and has the index: clocks of instances differ by less than a minute.
  const firstId = uuidv7({ msecs: Date.parse(from) - 60_000, seq: 0, random: new Uint8Array(16) });
  const [row] = await sql<[Record<"waiting" | "preparation" | "ready", number | null>]>`
    with step as (
      select
        type, data ->> 'from' as status,
        extract(epoch from created_at - lag(created_at) over (partition by subject_id order by seq))::float8 as seconds
      from events
      where id >= ${firstId} and created_at >= ${from} and created_at < ${to} and seq is not null
        and type in ('order.created', 'order.status_changed')
    )
    select
      avg(seconds) filter (where status = 'waiting') as waiting,
      avg(seconds) filter (where status = 'preparation') as preparation,
      avg(seconds) filter (where status = 'ready') as ready
    from step
    where type = 'order.status_changed'`;
  return row;
}

/** What the board tells of, or one order's stream; a refund of a charge that never had an order is neither's. */
const followed = (sql: Db, orderId: string | undefined) => sql`
  (type like 'order.%' or (type = 'payment.refunded' and data ->> 'id' = subject_id::text))
  ${orderId ? sql`and subject_id = ${orderId}` : sql``}`;

/** The next events of one order, or of the board. */
export const listFollowedAfter = (sql: Db, orderId: string | undefined, seq: number, limit: number) => sql<
  Event[]
>`
  select ${eventColumns(sql)} from events
  where seq > ${seq} and ${followed(sql, orderId)}
  order by seq limit ${limit}`;

/** Whether this is the seq of an event that the stream of the order, or the board, has told of, and that is kept. */
export async function isFollowed(sql: Db, orderId: string | undefined, seq: number): Promise<boolean> {
  const found = await sql`select from events where seq = ${seq} and ${followed(sql, orderId)}`;
  return found.count > 0;
}

/** The seq of the newest stamped event; 0 before the first. */
export async function findLastSeq(sql: Db): Promise<number> {
  const [row] = await sql<[{ last_seq: number }]>`select last_seq::float8 as last_seq from event_relay`;
  return row.last_seq;
}

/** Those that have happened, and have no seq yet. */
export const listUnstamped = (sql: Db) => sql<Pick<Event, "id" | "subject_id">[]>`
  select id, subject_id from events where seq is null`;

export interface SinkState {
  position: number;
  mark: string | null;
}

/** How far a sink has come; a new one begins with the first event that is kept. */
export async function findSinkState(sql: Db, name: string): Promise<SinkState> {
  const [state] = await sql<SinkState[]>`
    select position::float8 as position, mark from event_sinks where name = ${name}`;
  if (state) return state;
  await sql`insert into event_sinks (name) values (${name}) on conflict do nothing`;
  return { position: 0, mark: null };
}

/** Moves a sink's position on, or back; not if another has moved it meanwhile. */
export async function moveSink(sql: Db, name: string, from: SinkState, to: SinkState) {
  await sql`
    update event_sinks set position = ${to.position}, mark = ${to.mark}, updated_at = now()
    where name = ${name} and position = ${from.position}`;
}

/** The seq of an event, if it is stamped and kept. */
export async function findSeq(sql: Db, eventId: string): Promise<number | undefined> {
  const [event] = await sql<{ seq: number }[]>`
    select seq::float8 as seq from events where id = ${eventId} and seq is not null`;
  return event?.seq;
}

/** Records that a sink will never take an event, once. */
export async function insertRefusal(sql: Db, sink: string, event: Event, error: string) {
  await sql`
    insert into event_refusals (sink, event_id, seq, error)
    values (${sink}, ${event.id}, ${event.seq}, ${error})
    on conflict (sink, event_id) do nothing`;
}

/** Days for which events are kept. */
const keptDays = 30;

/**
 * Deletes the first of the old events that each of `sinks` has, at most `limit`; gives how many. It looks at no more
 * than the first `limit` of all: seq and created_at rise together, but for the length of a transaction.
 */
export async function deleteOldEvents(sql: Db, sinks: string[], limit: number): Promise<number> {
  const { count } = await sql`
    with reached as (
      select coalesce(min(coalesce(s.position, 0)), (select last_seq from event_relay)) as seq
      from unnest(string_to_array(${sinks.join(",")}, ',')) as name
      left join event_sinks s using (name)
    ),
    first as (
      select e.id, e.created_at
      from events e, reached
      where e.seq <= reached.seq
      order by e.seq
      limit ${limit}
    )
    delete from events
    where id in (select id from first where created_at < now() - ${keptDays} * interval '1 day')`;
  return count;
}
