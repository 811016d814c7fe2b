-- Up Migration

-- An index takes an entry for each row that is written, also for what nobody looks up by it: an event that has no seq
-- yet, a charge that has no order yet, a charge like nearly all others. Placing an order writes four entries less.
drop index events_seq_is_unique;
create unique index events_seq_is_unique on events (seq) where seq is not null;
drop index events_by_subject;
create index events_by_subject on events (subject_id, seq) where seq is not null;
drop index payments_one_for_each_order;
create unique index payments_one_for_each_order on payments (order_id) where order_id is not null;
-- Those that succeeded are found among all, newest first, for they are nearly all.
drop index payments_by_status;
create index payments_by_status on payments (status, id desc) where status <> 'succeeded';

-- Down Migration

drop index payments_by_status;
create index payments_by_status on payments (status, id desc);
drop index payments_one_for_each_order;
create unique index payments_one_for_each_order on payments (order_id);
drop index events_by_subject;
create index events_by_subject on events (subject_id, seq);
drop index events_seq_is_unique;
create unique index events_seq_is_unique on events (seq);
