import { v7 as uuidv7 } from "uuid";
import { newId } from "../db/ids.ts";
import type { Db } from "../db/pool.ts";
import type { PageRequest } from "../http/pagination.ts";
import type { Backlog } from "../observability/doctor.ts";
import type { Event, EventType } from "./schemas.ts";

interface NewEvent {
  type: EventType;
  subject_id: string;
  data: unknown;
  /** Default: the start of the transaction. */
  created_at?: string;
}

/** Inserts one event. Runs in the transaction of the change, so that the event exists only if the change does. */
export async function insertEvent(sql: Db, event: NewEvent) {
  // The column is json and keeps the text as it is; sql.json would send jsonb.
  await sql`
    insert into events (id, type, subject_id, data, created_at)
    values (
      ${newId()}, ${event.type}, ${event.subject_id}, ${JSON.stringify(event.data)}::text::json,
      coalesce(${event.created_at ?? null}, now())
    )`;
}

export async function insertEvents(sql: Db, events: NewEvent[]) {
  const rows = events.map((event) => ({ ...event, id: newId() }));
  await sql`
    insert into events (id, type, subject_id, data)
    select id, type, subject_id, data
    from json_to_recordset(${JSON.stringify(rows)}::text::json)
      as row (id uuid, type text, subject_id uuid, data json)`;
}

/** Two keys: no other lock of this service has that form. */
const leaderLock = [7, 1] as const;

/** Returns whether this session leads and whether events wait. A session that takes the lock keeps it until it ends. */
export async function tryAcquireLeadership(sql: Db): Promise<{ leads: boolean; waiting: boolean }> {
  const [row] = await sql<[{ leads: boolean; waiting: boolean }]>`
    select
      pg_try_advisory_lock(${leaderLock[0]}::int, ${leaderLock[1]}::int) as leads,
      -- "exists" would scan the table when PostgreSQL expects many rows without seq; this reads one index entry.
      (select insert_no from events where seq is null order by insert_no limit 1) is not null as waiting`;
  return row;
}

/** Returns how many events got a seq, at most `limit`. Only the leader may call it. */
export async function assignSequence(tx: Db, limit: number): Promise<number> {
  const [row] = await tx<[{ assigned: number }]>`
    with batch as (
      select id, row_number() over (order by insert_no) as nth
      from (select id, insert_no from events where seq is null order by insert_no limit ${limit}) as next
    ),
    size as (
      select count(*)::int as assigned from batch
    ),
    relay as (
      update event_sequence set last_seq = last_seq + assigned
      from size
      where assigned > 0
      returning last_seq - assigned as base
    ),
    numbering as (
      update events e set seq = base + nth from batch, relay where e.id = batch.id
    )
    select assigned, case when assigned > 0 then pg_notify('events_stamped', '') end from size`;
  return row.assigned;
}

/** seq is a double, exact up to 2^53: a bigint would arrive as text. */
const eventColumns = (sql: Db) => sql`id, seq::float8 as seq, type, subject_id, created_at, data`;

export const listEventsAfter = (sql: Db, seq: number, limit: number) => sql<Event[]>`
  select ${eventColumns(sql)} from events where seq > ${seq} order by seq limit ${limit}`;

/** Returns one row more than the page holds, newest first. */
export const listEvents = (sql: Db, subjectId: string | undefined, page: PageRequest) => sql<Event[]>`
  select ${eventColumns(sql)} from events
  where seq is not null
    ${subjectId ? sql`and subject_id = ${subjectId}` : sql``}
    ${page.after ? sql`and id < ${page.after}` : sql``}
  order by id desc
  limit ${page.limit + 1}`;

/** Returns average seconds, of the steps between `from` and `to`; null if there are none. */
export async function averageSecondsInStatus(sql: Db, { from, to }: { from: string; to: string }) {
  // The index is on id, which begins with the time. Clocks of instances differ by less than a minute.
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

/** A refund of a charge without an order belongs to no order. */
const ofOrders = (sql: Db, orderId: string | undefined) => sql`
  (type like 'order.%' or (type = 'payment.refunded' and data ->> 'id' = subject_id::text))
  ${orderId ? sql`and subject_id = ${orderId}` : sql``}`;

export const listOrderEventsAfter = (sql: Db, orderId: string | undefined, seq: number, limit: number) => sql<
  Event[]
>`
  select ${eventColumns(sql)} from events
  where seq > ${seq} and ${ofOrders(sql, orderId)}
  order by seq limit ${limit}`;

export async function isOrderEvent(sql: Db, orderId: string | undefined, seq: number): Promise<boolean> {
  const found = await sql`select from events where seq = ${seq} and ${ofOrders(sql, orderId)}`;
  return found.count > 0;
}

/** Returns 0 before the first event. */
export async function findLastSeq(sql: Db): Promise<number> {
  const [row] = await sql<[{ last_seq: number }]>`select last_seq::float8 as last_seq from event_sequence`;
  return row.last_seq;
}

export const listUnsequenced = (sql: Db) => sql<Pick<Event, "id" | "subject_id">[]>`
  select id, subject_id from events where seq is null`;

export interface SinkState {
  /** The seq of the last event that the sink has. */
  position: number;
  /** The end of the sink as the sink itself names it, such as a stream's last id. */
  cursor: string | null;
}

/** Inserts a new sink at the first stored event. */
export async function findSinkState(sql: Db, name: string): Promise<SinkState> {
  const [state] = await sql<SinkState[]>`
    select position::float8 as position, cursor from event_sinks where name = ${name}`;
  if (state) return state;
  await sql`insert into event_sinks (name) values (${name}) on conflict do nothing`;
  return { position: 0, cursor: null };
}

/** Moves a sink forward or back, unless another process has moved it since `from` was read. */
export async function moveSink(sql: Db, name: string, from: SinkState, to: SinkState) {
  await sql`
    update event_sinks set position = ${to.position}, cursor = ${to.cursor}, updated_at = now()
    where name = ${name} and position = ${from.position}`;
}

export async function findSeq(sql: Db, eventId: string): Promise<number | undefined> {
  const [event] = await sql<{ seq: number }[]>`
    select seq::float8 as seq from events where id = ${eventId} and seq is not null`;
  return event?.seq;
}

/** Records once that a sink rejected an event for good. */
export async function insertDeadLetter(sql: Db, sink: string, event: Event, error: string) {
  await sql`
    insert into event_dead_letters (sink, event_id, seq, error)
    values (${sink}, ${event.id}, ${event.seq}, ${error})
    on conflict (sink, event_id) do nothing`;
}

const retentionDays = 30;

/** Looks at the first `limit` events only: seq and created_at rise together, apart from a transaction's length. */
export async function deleteOldEvents(sql: Db, sinks: string[], limit: number): Promise<number> {
  const { count } = await sql`
    with reached as (
      select coalesce(min(coalesce(s.position, 0)), (select last_seq from event_sequence)) as seq
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
    where id in (select id from first where created_at < now() - ${retentionDays} * interval '1 day')`;
  return count;
}

export async function countUnsequenced(sql: Db): Promise<number> {
  const [row] = await sql<[{ count: number }]>`select count(*)::int as count from events where seq is null`;
  return row.count;
}

export const listSinkLags = (sql: Db) => sql<{ sink: string; lag: number }[]>`
  select name as sink, (last_seq - position)::float8 as lag from event_sinks, event_sequence`;

export const countDelayedEvents = (sql: Db) => sql<Backlog[]>`
  select 'events without a seq for over a minute' as about, count(*)::int as count, null as cents
  from events where seq is null and created_at < now() - interval '1 minute'`;
