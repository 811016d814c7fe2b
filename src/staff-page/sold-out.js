// Marks products as sold out with one tap, until tomorrow or until further notice.
import { useEffect, useState } from "preact/hooks";
import { ApiProblem, call, get } from "./api.js";
import { announce } from "./ui/announce.js";
import { Button } from "./ui/button.js";
import { Dialog } from "./ui/dialog.js";
import { html } from "./ui/html.js";

/** @typedef {import("../catalog/schemas.ts").MenuProduct} MenuProduct */
/** @typedef {import("../catalog/schemas.ts").Product} Product */
/** @typedef {{ currency: string, categories: { id: string, name: string }[], products: MenuProduct[] }} Menu */
/** @typedef {{ variation_id?: string, option_id?: string }} Part of a product; none is the product itself */

/** Local time: after closing and before opening. */
const morningHour = 5;

/** The next morning, from `now` on. @param {Date} now */
function tomorrowMorning(now) {
  const morning = new Date(now);
  morning.setHours(morningHour, 0, 0, 0);
  if (morning <= now) morning.setDate(morning.getDate() + 1);
  return morning;
}

/** Interval of reads while the dialog is open. */
const lookMs = 20_000;

/** @param {{ onClose: () => void }} props */
export function SoldOut({ onClose }) {
  const [menu, setMenu] = useState(/** @type {Menu | undefined} */ (undefined));
  const [problem, setProblem] = useState(/** @type {ApiProblem | undefined} */ (undefined));
  const [wanted, setWanted] = useState("");

  async function read() {
    try {
      setMenu(await get("/menu"));
      setProblem(undefined);
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      setProblem(error);
    }
  }
  /** @param {Product} product as it is now: the menu may hear of it a moment later */
  const take = (product) =>
    setMenu(
      (now) =>
        now && { ...now, products: now.products.map((each) => (each.id === product.id ? product : each)) },
    );
  useEffect(() => {
    void read();
    const timer = setInterval(read, lookMs);
    return () => clearInterval(timer);
  }, []);

  const found = menu?.products.filter(({ name }) => name.toLowerCase().includes(wanted.trim().toLowerCase()));
  const groups = [...(menu?.categories ?? []), { id: null, name: "No category" }]
    .map(({ id, name }) => ({ name, products: found?.filter(({ category_id }) => category_id === id) ?? [] }))
    .filter(({ products }) => products.length > 0);

  return html`
    <${Dialog} title="Sold out" side onClose=${onClose}>
      <label class="search">
        <span class="unseen">Find a product</span>
        <input
          type="search"
          placeholder="Find a product"
          value=${wanted}
          onInput=${(/** @type {InputEvent} */ event) => {
            event.stopPropagation();
            setWanted(/** @type {HTMLInputElement} */ (event.currentTarget).value);
          }}
        />
      </label>
      ${problem && html`<p class="problem" role="alert">${problem.message}</p>`}
      ${!menu && !problem && html`<p class="quiet">Reading the menu…</p>`}
      ${menu && groups.length === 0 && html`<p class="quiet">Nothing on the menu is called that.</p>`}
      ${groups.map(
        ({ name, products }) => html`
          <section class="stock" key=${name}>
            <h3>${name}</h3>
            <ul>${products.map((product) => html`<${Stock} key=${product.id} product=${product} onChange=${take} />`)}</ul>
          </section>
        `,
      )}
    <//>
  `;
}

/**
 * A product with its variations and options.
 * @param {{ product: MenuProduct, onChange: (product: Product) => void }} props
 */
export function Stock({ product, onChange }) {
  const { id, name, available, variations, option_groups } = product;
  const options = option_groups.flatMap((group) => group.options);
  const partsOut = [...variations, ...options].filter((part) => !part.available).length;
  // Fixed when the dialog opens, so that it does not close under a finger.
  const [opened] = useState(partsOut > 0);
  return html`
    <li>
      <${StockLine} productId=${id} part=${{}} name=${name} available=${available} onChange=${onChange} />
      ${
        variations.length + options.length > 0 &&
        html`<details open=${opened}>
          <summary>Variations and options${partsOut > 0 && html`<span class="out">${partsOut} sold out</span>`}</summary>
          <ul>
            ${variations.map(
              (variation) =>
                html`<li key=${variation.id}><${StockLine} productId=${id} part=${{ variation_id: variation.id }} name=${variation.name} of=${name} available=${variation.available} onChange=${onChange} /></li>`,
            )}
            ${options.map(
              (option) =>
                html`<li key=${option.id}><${StockLine} productId=${id} part=${{ option_id: option.id }} name=${option.name} of=${name} available=${option.available} onChange=${onChange} /></li>`,
            )}
          </ul>
        </details>`
      }
    </li>
  `;
}

/**
 * @param {object} props
 * @param {string} props.productId
 * @param {Part} props.part
 * @param {string} props.name
 * @param {string} [props.of] the product's name, when this is a part of it
 * @param {boolean} props.available
 * @param {(product: Product) => void} props.onChange is given the product as it is then
 */
function StockLine({ productId, part, name, of, available, onChange }) {
  const [refusal, setRefusal] = useState(/** @type {string | undefined} */ (undefined));
  const whole = of ? `${of}, ${name}` : name;

  /** @param {{ available: boolean, until?: string }} change @param {string} told */
  async function set(change, told) {
    setRefusal(undefined);
    try {
      const body = { ...part, ...change };
      const product = await call("PUT", `/admin/products/${productId}/availability`, { body });
      announce(told);
      onChange(product);
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      setRefusal(error.message);
    }
  }
  const outUntilTomorrow = () =>
    set(
      { available: false, until: tomorrowMorning(new Date()).toISOString() },
      `${whole} is sold out until tomorrow`,
    );
  const out = () => set({ available: false }, `${whole} is sold out`);
  const back = () => set({ available: true }, `${whole} is back`);

  return html`
    <div class="stock-line" role="group" aria-label=${whole}>
      <p class="stock-name">${name}${!available && html`<span class="out">Sold out</span>`}</p>
      ${
        available
          ? html`<${Button} class="small" onPress=${outUntilTomorrow}>Until tomorrow<//>
              <${Button} class="plain small" onPress=${out}>For longer<//>`
          : html`<${Button} class="primary small" onPress=${back}>It's back<//>`
      }
      ${refusal && html`<p class="error" role="alert">${refusal}</p>`}
    </div>
  `;
}
