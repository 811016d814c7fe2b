// `npm run screenshots`: takes README's pictures from a fresh `npm start`, on http://localhost:8000 or the given URL.
import { launchBrowser } from "./launch.ts";

const url = process.argv[2] ?? "http://localhost:8000";
const api = `${url}/api/v1`;

/** Sends JSON. Returns the response's JSON. Throws unless the status is 2xx. */
async function send(method: string, path: string, body: unknown, token?: string) {
  const response = await fetch(api + path, {
    method,
    headers: { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Record<string, string>;
}

const tokenOf = async (name: string) =>
  (await send("POST", "/auth/token", { username: `${name}@example.com`, password: `${name}123` }))
    .access_token!;

const idOf = (digits: number) => `01920000-0000-7000-8000-000000000${digits}`;
const espresso = { product_id: idOf(201), variation_id: idOf(304), quantity: 1 };
const latte = { product_id: idOf(200), variation_id: idOf(301), quantity: 2 };
const donut = { product_id: idOf(204), variation_id: idOf(311), quantity: 3 };
const flatWhite = {
  product_id: idOf(205),
  variation_id: idOf(314),
  option_ids: [idOf(501), idOf(503)],
  quantity: 1,
  notes: "extra hot",
};

const [customer, barista] = await Promise.all([tokenOf("customer"), tokenOf("barista")]);
const orders = [
  { items: [latte, donut], steps: ["preparation", "ready"] },
  { items: [espresso], fulfillment: { type: "dine_in", table: "4" }, steps: ["preparation"] },
  { items: [flatWhite], notes: "No lid, please", steps: ["preparation"] },
  { items: [latte], steps: [] },
  { items: [espresso, donut], fulfillment: { type: "dine_in", table: "7" }, steps: [] },
];
for (const { steps, ...order } of orders) {
  const { id } = await send("POST", "/orders", order, customer);
  for (const status of steps) await send("PATCH", `/orders/${id}/status`, { status }, barista);
}

const browser = await launchBrowser();
const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
await page.goto(`${url}/admin`);
await page.getByLabel("Email").fill("barista@example.com");
await page.getByLabel("Password").fill("barista123");
await page.getByRole("button", { name: "Sign in" }).click();
await page
  .locator(".card")
  .nth(orders.length - 1)
  .waitFor();
await page.screenshot({ path: "docs/board.png" });
await page.goto(`${url}/docs`);
await page.locator(".opblock").first().waitFor();
await page.screenshot({ path: "docs/api.png" });
await browser.close();
