import { html } from "./html.js";

/**
 * Links between the parts of a view.
 * @param {{ label: string, tabs: { href: string, label: string, current: boolean }[] }} props
 */
export function Tabs({ label, tabs }) {
  return html`
    <nav class="tabs" aria-label=${label}>
      ${tabs.map(
        (tab) =>
          html`<a key=${tab.href} href=${tab.href} aria-current=${tab.current ? "true" : null}>${tab.label}</a>`,
      )}
    </nav>
  `;
}
