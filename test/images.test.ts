import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { startWorker } from "../src/jobs.ts";
import { makeProduct } from "./factories.ts";
import {
  type Call,
  eventually,
  expectProblem,
  meetAt,
  openShop,
  rowsOf,
  type TestShop,
  testShop,
} from "./harness.ts";
import { png } from "./picture.ts";
import { credentials, startS3 } from "./s3-server.ts";

const shop = testShop();

const jpeg = Buffer.from("ffd8ffe000104a46494600010100000100010000ffd9", "hex");
const webp = Buffer.from("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==", "base64");

let manager: Awaited<ReturnType<typeof shop.as>>;
beforeEach(async () => {
  manager = await shop.as("manager");
});

const put = (id: string, payload: Buffer, type = "image/png", call: Call = manager.call) =>
  call("PUT", `/admin/products/${id}/image`, { payload, headers: { "content-type": type } });

const upload = async (id: string, payload = png, type?: string, call?: Call): Promise<string> => {
  const response = await put(id, payload, type, call);
  expect(response.statusCode, response.body).toBe(200);
  return response.json().image_url;
};

const look = (url: string, headers = {}) => shop.call("GET", `/${url}`, { headers });

async function expectRefusal(call: () => ReturnType<Call>, status: number, code: string) {
  const before = await rowsOf(shop.sql, ["products", "images", "events"]);
  expectProblem(await call(), status, code);
  expect(await rowsOf(shop.sql, ["products", "images", "events"])).toEqual(before);
}

describe("a picture", () => {
  test.each([
    ["PNG", png, "image/png", "png"],
    ["JPEG", jpeg, "image/jpeg", "jpg"],
    ["WebP", webp, "image/webp", "webp"],
  ])("that is %s is shown with the product and cached forever", async (_title, bytes, type, extension) => {
    const { id, version } = await makeProduct(shop.sql);
    const response = await put(id, bytes, type);
    expect(response.headers).toMatchObject({ "cache-control": "no-store", etag: `"${version + 1}"` });
    const { image_url } = response.json();
    expect(response.json()).toEqual({ image_url });
    expect(image_url).toMatch(new RegExp(`^/images/[\\w-]{36}\\.${extension}$`));
    expect((await shop.call("GET", "/menu")).json().products).toMatchObject([{ id, image_url }]);
    expect(await shop.sql`select data from events where subject_id = ${id} order by id desc limit 1`).toEqual(
      [{ data: { product_id: id } }],
    );

    const image = await look(image_url);
    expect(image.rawPayload.equals(bytes)).toBe(true);
    expect(image.headers).toMatchObject({
      "content-type": type,
      "content-length": String(bytes.length),
      "cache-control": "public, max-age=31536000, immutable",
      "x-content-type-options": "nosniff",
    });
    for (const known of [image.headers.etag, `"other", W/${image.headers.etag}`, "*"]) {
      const again = await look(image_url, { "if-none-match": known });
      expect(again.statusCode).toBe(304);
      expect(again.body).toBe("");
    }
    expect((await look(image_url, { "if-none-match": '"other"' })).statusCode).toBe(200);
  });

  test("has the type of its content, not of its Content-Type", async () => {
    const { id } = await makeProduct(shop.sql);
    const url = await upload(id, jpeg, "image/png");
    expect(url).toMatch(/\.jpg$/);
    expect((await look(url)).headers["content-type"]).toBe("image/jpeg");
  });

  test("replaces the former one, which is removed", async () => {
    const { id } = await makeProduct(shop.sql);
    const first = await upload(id);
    const second = await upload(id, jpeg, "image/jpeg");
    expect(second).not.toBe(first);
    expectProblem(await look(first), 404, "not_found");
    expect((await look(second)).statusCode).toBe(200);
    expect(await shop.sql`select name from images`).toEqual([{ name: second.replace("/images/", "") }]);
  });

  test("is removed when the product gets another address, unless another product shows it", async () => {
    const { id } = await makeProduct(shop.sql);
    const image_url = await upload(id);
    const other = await makeProduct(shop.sql, { image_url });
    await manager.call("PATCH", `/admin/products/${id}`, { body: { image_url: null } });
    expect((await look(image_url)).statusCode).toBe(200);
    await manager.call("DELETE", `/admin/products/${other.id}`);
    expect((await look(image_url)).statusCode).toBe(200);
    await shop.sql`update products set image_url = 'https://cdn.example/x.png' where id = ${other.id}`;
    expect((await look(image_url)).statusCode).toBe(404);
  });

  test("may have 5 MiB, and not one byte more", async () => {
    const { id } = await makeProduct(shop.sql);
    const largest = Buffer.concat([png, Buffer.alloc(5 * 1024 * 1024 - png.length)]);
    const url = await upload(id, largest);
    expect((await look(url)).rawPayload.equals(largest)).toBe(true);
    await expectRefusal(() => put(id, Buffer.concat([largest, Buffer.alloc(1)])), 413, "body_too_large");
  });

  test.each<[string, Buffer, string]>([
    [
      "an SVG",
      Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'),
      "image/svg+xml",
    ],
    ["an SVG by the name of a PNG", Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), "image/png"],
    ["a renamed executable", Buffer.from("4d5a90000300000004000000ffff0000", "hex"), "image/jpeg"],
    ["another renamed executable", Buffer.from("7f454c4602010100", "hex"), "image/webp"],
    ["a GIF", Buffer.from("GIF89a"), "image/png"],
    ["a RIFF that is sound", Buffer.from("RIFF\0\0\0\0WAVEfmt "), "image/webp"],
    ["a picture further in", Buffer.concat([Buffer.from("x"), png]), "image/png"],
    ["the beginning of a signature", png.subarray(0, 7), "image/png"],
    ["nothing", Buffer.alloc(0), "image/png"],
    ["JSON", Buffer.from("{}"), "application/json"],
    ["a form", Buffer.from("a=b"), "application/x-www-form-urlencoded"],
    ["bytes of no type", png, "application/octet-stream"],
  ])("is not %s", async (_title, bytes, type) => {
    const { id } = await makeProduct(shop.sql);
    await expectRefusal(() => put(id, bytes, type), 415, "unsupported_media_type");
  });

  test("needs an existing product and a manager", async () => {
    const { id } = await makeProduct(shop.sql);
    await manager.call("DELETE", `/admin/products/${id}`);
    for (const gone of [id, "01920000-0000-7000-8000-00000000ffff"])
      await expectRefusal(() => put(gone, png), 404, "not_found");
    await expectRefusal(() => put("latte", png), 400, "validation_failed");
    const barista = await shop.as("barista");
    await expectRefusal(() => put(id, png, "image/png", barista.call), 403, "forbidden");
    await expectRefusal(() => put(id, png, "image/png", shop.call), 401, "unauthorized");
  });

  test.each(["/images/none.png", "/images/..%2f..%2fetc%2fpasswd", "/images/%00"])(
    "is not %s",
    async (url) => {
      const response = await look(url);
      expectProblem(
        response,
        url.endsWith("%00") ? 400 : 404,
        url.endsWith("%00") ? "validation_failed" : "not_found",
      );
    },
  );
});

describe("with S3", () => {
  let s3: Awaited<ReturnType<typeof startS3>>;
  let own: TestShop & { close: () => Promise<void> };
  let call: Call;
  beforeAll(async () => {
    s3 = await startS3();
    for (const [name, value] of Object.entries(credentials)) vi.stubEnv(name, value);
    const env = { S3_BUCKET: "pictures", S3_ENDPOINT: s3.url, S3_REGION: "eu-north-1" };
    own = await openShop({ databaseUrl: shop.databaseUrl, env });
  });
  afterAll(async () => {
    await own.close();
    await s3.close();
    vi.unstubAllEnvs();
  });
  beforeEach(async () => {
    s3.objects.clear();
    s3.refused.length = 0;
    ({ call } = await own.as("manager"));
  });

  const lookAt = (url: string) => own.call("GET", `/${url}`);

  test("a picture is stored by a signed request and served", async () => {
    const { id } = await makeProduct(shop.sql);
    const url = await upload(id, webp, "image/webp", call);
    expect([...s3.objects]).toEqual([
      [url.replace("/images", "/pictures"), { type: "image/webp", bytes: webp }],
    ]);
    expect(s3.refused).toEqual([]);
    expect([...s3.regions]).toEqual(["eu-north-1"]);
    expect(await shop.sql`select bytes from images`).toEqual([{ bytes: null }]);
    const image = await lookAt(url);
    expect(image.rawPayload.equals(webp)).toBe(true);
    expect(image.headers).toMatchObject({
      "content-type": "image/webp",
      "cache-control": "public, max-age=31536000, immutable",
    });
    s3.objects.clear();
    expectProblem(await lookAt(url), 404, "not_found");
  });

  test("the worker removes the former one", async () => {
    const { id } = await makeProduct(shop.sql);
    const first = await upload(id, png, "image/png", call);
    const second = await upload(id, png, "image/png", call);
    expectProblem(await lookAt(first), 404, "not_found");
    const worker = await startWorker(own.app.settings as never, own.sql, own.app.log as never);
    onTestFinished(worker.stop);
    await eventually(() => s3.objects.size === 1);
    expect([...s3.objects.keys()]).toEqual([second.replace("/images", "/pictures")]);
  });

  test("a picture stored before S3 was configured is served from PostgreSQL", async () => {
    const { id } = await makeProduct(shop.sql);
    const url = await upload(id);
    expect((await lookAt(url)).rawPayload.equals(png)).toBe(true);
    expect(s3.objects.size).toBe(0);
  });

  test("nothing is stored for an unknown product", async () => {
    await expectRefusal(
      () => put("01920000-0000-7000-8000-00000000ffff", png, "image/png", call),
      404,
      "not_found",
    );
    expect(s3.objects.size).toBe(0);
  });

  test("nothing is stored for a product that is archived meanwhile", async () => {
    const { id } = await makeProduct(shop.sql);
    const [response] = await meetAt(
      shop.sql,
      (tx) => tx`update products set archived_at = now() where id = ${id}`,
      [() => put(id, png, "image/png", call)],
    );
    expectProblem(response!, 404, "not_found");
    expect(s3.objects.size).toBe(0);
    expect(await shop.sql`select from images`).toHaveLength(0);
  });

  test("a wrong secret is rejected by the bucket, and no row is written", async () => {
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "wrong");
    const env = { S3_BUCKET: "pictures", S3_ENDPOINT: s3.url };
    const wrong = await openShop({ databaseUrl: shop.databaseUrl, env });
    onTestFinished(wrong.close);
    const { id } = await makeProduct(shop.sql);
    const { call: other } = await wrong.as("manager");
    await expectRefusal(() => put(id, png, "image/png", other), 500, "internal_error");
    expect(s3.refused).toHaveLength(1);
    expect(s3.objects.size).toBe(0);
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", credentials.AWS_SECRET_ACCESS_KEY);
  });

  test("an unreachable bucket is 503", async () => {
    const env = { S3_BUCKET: "pictures", S3_ENDPOINT: "http://127.0.0.1:1" };
    const away = await openShop({ databaseUrl: shop.databaseUrl, env });
    onTestFinished(away.close);
    const { id } = await makeProduct(shop.sql);
    const { call: other } = await away.as("manager");
    await expectRefusal(() => put(id, png, "image/png", other), 503, "unavailable");
  });
});
