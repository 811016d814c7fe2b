import htm from "htm";
import { h } from "preact";

// The package's types describe Node's module, not the browser's.
const { bind } = /** @type {{ bind: Function }} */ (/** @type {unknown} */ (htm));

/**
 * Preact elements as HTML in a tagged template.
 * @type {(strings: TemplateStringsArray, ...values: any[]) => import("preact").VNode<any>}
 */
export const html = bind.call(htm, h);
