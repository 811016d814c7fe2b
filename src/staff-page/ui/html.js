import htm from "htm";
import { h } from "preact";

// The package's types describe the module that Node would load, not the one that a browser does.
const { bind } = /** @type {{ bind: Function }} */ (/** @type {unknown} */ (htm));

/**
 * Preact's elements, written as HTML in a tagged template.
 * @type {(strings: TemplateStringsArray, ...values: any[]) => import("preact").VNode<any>}
 */
export const html = bind.call(htm, h);
