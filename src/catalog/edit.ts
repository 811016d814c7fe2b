import { type Db, type Pool, violatedConstraint } from "../db/pool.ts";
import { insertEvent } from "../events/queries.ts";
import { ApiError, invalidField } from "../http/errors.ts";
import { lockMenu } from "./queries.ts";

/** Runs edits one after another, each with its event. Throws `name_taken` and `validation_failed`. */
export async function editCatalog<T>(
  sql: Pool,
  changed: { product_id: string } | { category_id: string },
  edit: (tx: Db) => Promise<T>,
) {
  const subject_id = "product_id" in changed ? changed.product_id : changed.category_id;
  try {
    return await sql.begin(async (tx) => {
      await lockMenu(tx);
      const result = await edit(tx);
      await insertEvent(tx, { type: "menu.changed", subject_id, data: changed });
      return result;
    });
  } catch (error) {
    throw mapConstraintError(error);
  }
}

export function mapConstraintError(error: unknown): unknown {
  const constraint = violatedConstraint(error);
  if (constraint === "products_name_is_unique")
    return new ApiError("name_taken", "Another product on the menu has this name");
  if (constraint === "categories_name_is_unique")
    return new ApiError("name_taken", "Another category has this name");
  const path = constraint && listPaths[constraint];
  return path ? invalidField(path, "Expected each name once in its list") : error;
}

// Checked at the commit: PostgreSQL's lower() equates names that JavaScript's does not, such as the two small sigmas.
const listPaths: Record<string, string> = {
  variations_name_is_unique_in_a_product: "/variations",
  option_groups_name_is_unique_in_a_product: "/option_groups",
  options_name_is_unique_in_a_group: "/option_groups",
};
