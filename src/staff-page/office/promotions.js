import { html } from "../ui/html.js";
import { ViewHead } from "../ui/view-head.js";

export function View() {
  return html`<${ViewHead} title="Promotions" /><p class="quiet">This view is still to be built.</p>`;
}
