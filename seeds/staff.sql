-- One user for each role, for development only: customer123, barista123, manager123 (argon2id, as everywhere).

insert into users (id, email, password_hash, role, first_name, verified_at) values
  ('01920000-0000-7000-8000-000000000001', 'customer@example.com',
   '$argon2id$v=19$m=19456,p=1,t=2$VQfOCBi0PodVYYIW0kiVcQ$GdUNDaTPjZscYzQcRyORHGal7wvcNIdrw/g12456rBA', 'customer', 'Cleo', now()),
  ('01920000-0000-7000-8000-000000000002', 'barista@example.com',
   '$argon2id$v=19$m=19456,p=1,t=2$Du3Jpr6S7uGQLqk1OgKSHA$xMMHYzIiDUrUOizOfwuSeV/0aOddBdF3QuX1NPATne0', 'barista', 'Bea', now()),
  ('01920000-0000-7000-8000-000000000003', 'manager@example.com',
   '$argon2id$v=19$m=19456,p=1,t=2$GKqMuS8zCZFASqwxPzvtyA$HP07M9fDyJxl0x1A1XCcvy/oEa0g0kHcN19Pt2LMSAE', 'manager', 'Max', now())
on conflict (id) do update set
  email = excluded.email, password_hash = excluded.password_hash, role = excluded.role,
  first_name = excluded.first_name, verified_at = excluded.verified_at, updated_at = now();
