-- Up Migration

-- An event's data is written once and sent on as it is: to take it apart and put it together again gains nothing.
alter table events alter column data type json using data::json;

-- Down Migration

alter table events alter column data type jsonb using data::jsonb;
