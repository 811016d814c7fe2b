// `npm run create-manager`, as an operator runs it.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { makeUser } from "./factories.ts";
import { expectProblem, testShop } from "./harness.ts";

const secret = "a secret of the tests that is long enough";
const shop = testShop({ env: { JWT_SECRET_KEY: secret } });

async function createManager(...args: string[]) {
  const { stdout } = await promisify(execFile)(process.execPath, ["src/cli.ts", "create-manager", ...args], {
    env: {
      PATH: process.env.PATH,
      NODE_ENV: "production",
      DATABASE_URL: shop.databaseUrl,
      JWT_SECRET_KEY: secret,
    },
  });
  return { stdout, code: /\b\d{6}\b/.exec(stdout)![0] };
}

const post = (path: string, body: object) => shop.call("POST", path, { body });
const setPassword = (email: string, code: string) =>
  post("/auth/password/reset", { email, code, password: "managers horse" });
const users = () => shop.sql`select email, role, verified_at is not null as verified from users`;

describe("create-manager, in production", () => {
  test("makes a manager, whose code sets the password once", async () => {
    const { stdout, code } = await createManager("--email", " Boss@Example.com");
    expect(stdout).toContain("boss@example.com");
    expect(await users()).toEqual([{ email: "boss@example.com", role: "manager", verified: true }]);
    const events = await shop.sql`select type from events order by id`;
    expect(events).toEqual([{ type: "user.created" }, { type: "user.verified" }]);
    expect((await setPassword("boss@example.com", code)).statusCode).toBe(204);
    expectProblem(await setPassword("boss@example.com", code), 400, "invalid_code");
    const body = { username: "boss@example.com", password: "managers horse" };
    const { access_token } = (await post("/auth/token", body)).json();
    const headers = { authorization: `Bearer ${access_token}` };
    expect((await shop.call("GET", "/users", { headers })).statusCode).toBe(200);
  });

  test("promotes an existing user, and keeps the password", async () => {
    const user = await makeUser(shop.sql);
    const { code } = await createManager("--email", user.email);
    expect(await users()).toEqual([{ email: user.email, role: "manager", verified: true }]);
    expect((await post("/auth/token", { username: user.email, password: user.password })).statusCode).toBe(
      200,
    );
    expect((await setPassword(user.email, code)).statusCode).toBe(204);
  });

  test("drops the password of a stranger who signed up with the address first", async () => {
    const stranger = await makeUser(shop.sql, "customer", { verified: false });
    const { code } = await createManager("--email", stranger.email);
    const body = { username: stranger.email, password: stranger.password };
    expectProblem(await post("/auth/token", body), 401, "invalid_credentials");
    expect((await setPassword(stranger.email, code)).statusCode).toBe(204);
  });

  test("run again voids the code before", async () => {
    const first = await createManager("--email", "boss@example.com");
    const second = await createManager("--email", "boss@example.com");
    if (first.code !== second.code)
      expectProblem(await setPassword("boss@example.com", first.code), 400, "invalid_code");
    expect((await setPassword("boss@example.com", second.code)).statusCode).toBe(204);
    expect(await users()).toHaveLength(1);
  });

  test.each([[[]], [["--email"]], [["--email", "boss"]], [["--mail", "boss@example.com"]]])(
    "says how it is used when it is given %j",
    async (args) => {
      const { code, stderr } = await createManager(...args).catch((error) => error);
      expect(code).toBe(1);
      expect(stderr).toContain("npm run create-manager -- --email manager@example.com");
      expect(stderr).not.toContain("    at ");
      expect(await users()).toEqual([]);
    },
  );
});
