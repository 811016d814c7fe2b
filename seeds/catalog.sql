-- The catalog of a new shop. An upsert by id: safe to run twice, and running it again restores these rows.

insert into categories (id, name, sort_order) values
  ('01920000-0000-7000-8000-000000000100', 'Coffee', 1),
  ('01920000-0000-7000-8000-000000000101', 'Bakery', 2)
on conflict (id) do update set
  name = excluded.name, sort_order = excluded.sort_order, archived_at = null, updated_at = now();

insert into products (id, category_id, name, description, base_price_cents) values
  ('01920000-0000-7000-8000-000000000200', '01920000-0000-7000-8000-000000000100', 'Latte', 'Espresso with steamed milk', 400),
  ('01920000-0000-7000-8000-000000000201', '01920000-0000-7000-8000-000000000100', 'Espresso', 'Short and strong', 250),
  ('01920000-0000-7000-8000-000000000202', '01920000-0000-7000-8000-000000000100', 'Macchiato', 'Espresso with a spot of milk foam', 400),
  ('01920000-0000-7000-8000-000000000203', '01920000-0000-7000-8000-000000000100', 'Iced Coffee', 'Brewed hot, served over ice', 350),
  ('01920000-0000-7000-8000-000000000204', '01920000-0000-7000-8000-000000000101', 'Donuts', 'Baked this morning', 200),
  ('01920000-0000-7000-8000-000000000205', '01920000-0000-7000-8000-000000000100', 'Flat White', 'A double ristretto under velvety milk', 420)
on conflict (id) do update set
  category_id = excluded.category_id, name = excluded.name, description = excluded.description,
  base_price_cents = excluded.base_price_cents, sold_out_until = null, archived_at = null,
  version = products.version + 1, updated_at = now();

insert into variations (id, product_id, name, price_change_cents, position) values
  ('01920000-0000-7000-8000-000000000300', '01920000-0000-7000-8000-000000000200', 'Pumpkin Spice', 50, 0),
  ('01920000-0000-7000-8000-000000000301', '01920000-0000-7000-8000-000000000200', 'Vanilla', 30, 1),
  ('01920000-0000-7000-8000-000000000302', '01920000-0000-7000-8000-000000000200', 'Hazelnut', 40, 2),
  ('01920000-0000-7000-8000-000000000303', '01920000-0000-7000-8000-000000000201', 'Single Shot', 0, 0),
  ('01920000-0000-7000-8000-000000000304', '01920000-0000-7000-8000-000000000201', 'Double Shot', 100, 1),
  ('01920000-0000-7000-8000-000000000305', '01920000-0000-7000-8000-000000000202', 'Caramel', 50, 0),
  ('01920000-0000-7000-8000-000000000306', '01920000-0000-7000-8000-000000000202', 'Vanilla', 30, 1),
  ('01920000-0000-7000-8000-000000000307', '01920000-0000-7000-8000-000000000203', 'Regular', 0, 0),
  ('01920000-0000-7000-8000-000000000308', '01920000-0000-7000-8000-000000000203', 'Sweetened', 30, 1),
  ('01920000-0000-7000-8000-000000000309', '01920000-0000-7000-8000-000000000203', 'Extra Ice', 20, 2),
  ('01920000-0000-7000-8000-000000000310', '01920000-0000-7000-8000-000000000204', 'Glazed', 0, 0),
  ('01920000-0000-7000-8000-000000000311', '01920000-0000-7000-8000-000000000204', 'Jelly', 30, 1),
  ('01920000-0000-7000-8000-000000000312', '01920000-0000-7000-8000-000000000204', 'Boston Cream', 50, 2),
  ('01920000-0000-7000-8000-000000000313', '01920000-0000-7000-8000-000000000205', 'Single', 0, 0),
  ('01920000-0000-7000-8000-000000000314', '01920000-0000-7000-8000-000000000205', 'Double', 80, 1)
on conflict (id) do update set
  name = excluded.name, price_change_cents = excluded.price_change_cents, position = excluded.position,
  sold_out_until = null, archived_at = null;

insert into option_groups (id, product_id, name, min_select, max_select, position) values
  ('01920000-0000-7000-8000-000000000400', '01920000-0000-7000-8000-000000000205', 'Milk', 0, 1, 0),
  ('01920000-0000-7000-8000-000000000401', '01920000-0000-7000-8000-000000000205', 'Temperature', 1, 1, 1),
  ('01920000-0000-7000-8000-000000000402', '01920000-0000-7000-8000-000000000205', 'Extras', 0, 3, 2)
on conflict (id) do update set
  name = excluded.name, min_select = excluded.min_select, max_select = excluded.max_select,
  position = excluded.position, archived_at = null;

insert into options (id, option_group_id, name, price_change_cents, position) values
  ('01920000-0000-7000-8000-000000000500', '01920000-0000-7000-8000-000000000400', 'Whole', 0, 0),
  ('01920000-0000-7000-8000-000000000501', '01920000-0000-7000-8000-000000000400', 'Oat', 60, 1),
  ('01920000-0000-7000-8000-000000000502', '01920000-0000-7000-8000-000000000400', 'Soy', 50, 2),
  ('01920000-0000-7000-8000-000000000503', '01920000-0000-7000-8000-000000000401', 'Hot', 0, 0),
  ('01920000-0000-7000-8000-000000000504', '01920000-0000-7000-8000-000000000401', 'Iced', 0, 1),
  ('01920000-0000-7000-8000-000000000505', '01920000-0000-7000-8000-000000000402', 'Extra shot', 80, 0),
  ('01920000-0000-7000-8000-000000000506', '01920000-0000-7000-8000-000000000402', 'Vanilla syrup', 40, 1),
  ('01920000-0000-7000-8000-000000000507', '01920000-0000-7000-8000-000000000402', 'Whipped cream', 50, 2)
on conflict (id) do update set
  name = excluded.name, price_change_cents = excluded.price_change_cents, position = excluded.position,
  sold_out_until = null, archived_at = null;
