// The views in the order of the navigation. A module is loaded when its view is first opened.

/** @typedef {import("../users/schemas.ts").User["role"]} Role */
/** @typedef {import("./router.js").Route} Route */
/** @typedef {import("preact").ComponentType<{ user: import("./api.js").User, route: Route }>} View */
/**
 * @typedef {object} Entry
 * @property {string} name what follows `#/`
 * @property {string} label
 * @property {Role[]} roles
 * @property {() => Promise<{ View: View }>} load
 */

/** @type {Role[]} */
const staff = ["barista", "manager"];
/** @type {Role[]} */
const managers = ["manager"];

/** @type {Entry[]} */
export const views = [
  { name: "board", label: "Board", roles: staff, load: () => import("./board.js") },
  { name: "today", label: "Today", roles: managers, load: () => import("./admin/today.js") },
  { name: "orders", label: "Orders", roles: managers, load: () => import("./admin/orders.js") },
  { name: "products", label: "Products", roles: managers, load: () => import("./admin/products.js") },
  { name: "categories", label: "Categories", roles: managers, load: () => import("./admin/categories.js") },
  { name: "promotions", label: "Promotions", roles: managers, load: () => import("./admin/promotions.js") },
  { name: "import", label: "Import", roles: managers, load: () => import("./admin/import.js") },
  { name: "users", label: "Users", roles: managers, load: () => import("./admin/users.js") },
  { name: "ledgers", label: "Ledgers", roles: managers, load: () => import("./admin/ledgers.js") },
];
