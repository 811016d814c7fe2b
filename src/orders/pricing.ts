import type { Product } from "../catalog/schemas.ts";
import { ApiError, invalidField } from "../http/errors.ts";
import type { OrderItem, OrderLineInput } from "./schemas.ts";

export type PricedLine = Omit<OrderItem, "id">;

/** Why a line can't be ordered. `archived` covers unknown products, variations and options too. */
export type LineProblem = {
  code: "archived" | "invalid_options" | "sold_out";
  /** A JSON pointer into the line. */
  path: string;
  message: string;
};

const maxTotalCents = 2_147_483_647;

export function priceLine(line: OrderLineInput, product: Product | undefined): PricedLine | LineProblem[] {
  if (!product || product.archived_at)
    return [
      {
        code: "archived",
        path: "/product_id",
        message: product ? `${product.name} is no longer on the menu` : "This product does not exist",
      },
    ];
  const problems: LineProblem[] = [];
  const archived = (path: string, message: string) => problems.push({ code: "archived", path, message });
  const invalid = (path: string, message: string) =>
    problems.push({ code: "invalid_options", path, message });
  const soldOut = (path: string, name: string) =>
    problems.push({ code: "sold_out", path, message: `${name} is sold out` });

  if (!product.available) soldOut("/product_id", product.name);

  const variation = product.variations.find(({ id }) => id === line.variation_id?.toLowerCase());
  if (line.variation_id === undefined) {
    if (product.variations.length > 0) invalid("/variation_id", `${product.name} has variations: select one`);
  } else if (!variation) archived("/variation_id", `${product.name} has no such variation`);
  else if (!variation.available) soldOut("/variation_id", `${product.name}, ${variation.name},`);

  const chosen = (line.option_ids ?? []).map((id) => id.toLowerCase());
  const known = new Map(
    product.option_groups.flatMap((group) => group.options.map((option) => [option.id, option] as const)),
  );
  const options = chosen.flatMap((id, index) => {
    const option = known.get(id);
    const path = `/option_ids/${index}`;
    if (!option) invalid(path, `${product.name} has no such option`);
    else if (chosen.indexOf(id) !== index) invalid(path, `${option.name} is selected twice`);
    else if (!option.available) soldOut(path, option.name);
    return option ? [option] : [];
  });
  for (const { name, min_select: min, max_select: max, options: offered } of product.option_groups) {
    const count = offered.filter(({ id }) => chosen.includes(id)).length;
    if (count < min || count > max) invalid("/option_ids", `${name}: select ${min} to ${max}, not ${count}`);
  }

  const changes = [variation, ...options].reduce((sum, part) => sum + (part?.price_change_cents ?? 0), 0);
  const unitPrice = product.base_price_cents + changes;
  if (unitPrice < 0) invalid("/product_id", `${product.name} would have a negative price`);

  if (problems.length > 0) return problems;
  return {
    product_id: product.id,
    variation_id: variation?.id ?? null,
    product_name: product.name,
    variation_name: variation?.name ?? null,
    options: options.map(({ id, name, price_change_cents }) => ({ id, name, price_change_cents })),
    quantity: line.quantity,
    unit_price_cents: unitPrice,
    total_cents: unitPrice * line.quantity,
    notes: line.notes ?? null,
  };
}

/** Sums in cents. Throws `invalid_item`, `sold_out`, `total_mismatch`, or `validation_failed` if too large. */
export function priceOrder(lines: OrderLineInput[], products: Product[], expected: number | undefined) {
  const byId = new Map(products.map((product) => [product.id, product]));
  const priced: PricedLine[] = [];
  const problems: LineProblem[] = [];
  lines.forEach((line, index) => {
    const result = priceLine(line, byId.get(line.product_id.toLowerCase()));
    if (!Array.isArray(result)) priced.push(result);
    else problems.push(...result.map((problem) => ({ ...problem, path: `/items/${index}${problem.path}` })));
  });
  if (problems.length > 0) throw lineProblemsError(problems);

  const total = priced.reduce((sum, line) => sum + line.total_cents, 0);
  if (total > maxTotalCents)
    throw invalidField("/items", `cost ${total} cents, more than a payment can hold`);
  if (expected !== undefined && expected !== total)
    throw new ApiError("total_mismatch", `Total mismatch: the order costs ${total} cents, not ${expected}`, {
      members: { expected_total_cents: total },
    });
  return { lines: priced, total };
}

/** Returns `invalid_item` with all problems except sold-out ones, or `sold_out` if there are no others. */
export function lineProblemsError(problems: LineProblem[]): ApiError {
  const invalid = problems.filter(({ code }) => code !== "sold_out");
  const errors = (invalid.length > 0 ? invalid : problems).map(({ path, message }) => ({ path, message }));
  const detail = errors
    .map(({ message }) => message)
    .slice(0, 5)
    .join("; ");
  return new ApiError(invalid.length > 0 ? "invalid_item" : "sold_out", detail, { errors });
}
